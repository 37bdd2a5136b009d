// What scrolls sideways can be reached by keyboard.
const reach = () => document.querySelectorAll("pre > code, .md-typeset__scrollwrap, .output").forEach((part) => {
  if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
});
for (const moment of ["load", "resize"]) addEventListener(moment, reach);
