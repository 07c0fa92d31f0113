// In a file of its own: the pages' Content-Security-Policy lets no script stand within them.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  tryItOutEnabled: true,
  // Else the document would be sent to a validator on the internet.
  validatorUrl: null,
});
