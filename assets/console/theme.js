// Runs before the first paint: sets the reader's own choice of light or dark, if there is one.
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
