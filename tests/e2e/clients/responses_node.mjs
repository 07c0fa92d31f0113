// Do with OpenAI's client for Node what programs do with responses, and print it as JSON.
//
//     node responses_node.mjs BASE_URL KEY
//
// The same steps, in the same words, as responses_python.py.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const { responses } = client;
const PLACE = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER = { type: "function", name: "weather", strict: true, parameters: PLACE };

async function events(stream) {
  const found = [];
  for await (const event of await stream) found.push(event.type);
  return found;
}

// Let the model call a tool, send all of it back, and return what was said of it.
async function toolLoop(streaming) {
  const asked = { model: "calls-tools", tools: [WEATHER] };
  const question = { role: "user", content: "Hi" };
  const first = streaming
    ? await responses.stream({ input: [question], ...asked }).finalResponse()
    : await responses.create({ input: [question], ...asked });
  const [call] = first.output.filter((item) => item.type === "function_call");
  const result = { type: "function_call_output", call_id: call.call_id, output: "4 C" };
  const again = await responses.create({ input: [question, ...first.output, result], ...asked });
  return { city: JSON.parse(call.arguments).city, answer: again.output_text };
}

async function unknownModel() {
  try {
    await responses.create({ model: "no-such-model", input: "Hi", stream: true });
  } catch (error) {
    if (!(error instanceof OpenAI.NotFoundError)) throw error;
    return { code: error.code, param: error.param };
  }
  return {};
}

const said = await responses.create({ model: "smollm2:135m", input: "Hi" });
const stream = responses.stream({ model: "smollm2:135m", input: "Hi" });
const seen = await events(stream);
const streamed = await stream.finalResponse();
const form = { type: "json_schema", name: "place", schema: PLACE, strict: true };
const place = await responses.parse({ model: "says-json", input: "Where?", text: { format: form } });
const broken = responses.create({ model: "breaks-off", input: "Hi", stream: true });

const report = {
  said: said.output_text,
  tokens: said.usage.total_tokens,
  events: seen,
  streamed: streamed.output_text,
  parsed: JSON.parse(place.output_text).city,
  tools: [await toolLoop(false), await toolLoop(true)],
  broken: (await events(broken)).slice(-2),
  "unknown model": await unknownModel(),
};
process.stdout.write(JSON.stringify(report));
