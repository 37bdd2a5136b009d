"""Encoders of timm and OpenCLIP against those libraries; in an environment of their own (`.ci/run`)."""
