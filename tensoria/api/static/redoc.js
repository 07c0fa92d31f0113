// In a file of its own: the pages' Content-Security-Policy lets no script stand within them.
Redoc.init("/openapi.json", {}, document.getElementById("page"));
