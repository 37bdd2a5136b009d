"""Parts of an encoder, and latents, taken out (`memjax.causes`)."""
