// Do with Anthropic's client for Node what programs do with it, and print what came of it as JSON.
//
//     node anthropic_node.mjs BASE_URL KEY BASE_URL_WITHOUT_ENGINE
//
// The same steps, in the same words, as anthropic_python.py.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

const MODEL = "smollm2:135m";
const ASK = [{ role: "user", content: "Hi" }];
const PLACE = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER = { name: "weather", description: "Tells the weather.", input_schema: PLACE };
const [baseURL, apiKey, downURL] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const bearer = new Anthropic({ baseURL, apiKey: null, authToken: apiKey, maxRetries: 0 });
const stranger = new Anthropic({ baseURL, apiKey: "wrong", maxRetries: 0 });
const down = new Anthropic({ baseURL: downURL, apiKey, maxRetries: 0 });
const whole = { model: MODEL, max_tokens: 50, messages: ASK };
const create = (request) => client.messages.create({ ...whole, ...request });

async function all(iterable) {
  const found = [];
  for await (const item of await iterable) found.push(item);
  return found;
}

// Stream by the SDK's helper, which adds the events up.
async function helped(request) {
  const texts = [];
  const stream = client.messages.stream({ ...whole, ...request });
  stream.on("text", (text) => texts.push(text));
  const message = await stream.finalMessage();
  return { text: texts.join(""), message };
}

// Let the model call a tool, send the result back, and return what was said of it.
async function toolLoop(streaming) {
  const asked = { model: "calls-tools", tools: [WEATHER] };
  const said = streaming
    ? await client.messages.stream({ ...whole, ...asked }).finalMessage()
    : await create(asked);
  const [call] = said.content.filter((block) => block.type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "4 C" };
  const messages = [
    ...ASK,
    { role: "assistant", content: said.content },
    { role: "user", content: [result] },
  ];
  const answer = await create({ ...asked, messages });
  return { reason: said.stop_reason, city: call.input.city, answer: answer.content[0].text };
}

// Let the SDK's own loop call the tool.
async function runTools() {
  const weather = betaTool({
    name: "weather",
    description: "Tells the weather.",
    inputSchema: PLACE,
    run: ({ city }) => `4 C in ${city}`,
  });
  const asked = { ...whole, model: "calls-tools", tools: [weather] };
  const message = await client.beta.messages.toolRunner(asked);
  return message.content[0].text;
}

// How a step failed: the client's class, and what the envelope told.
async function failure(step) {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof Anthropic.APIError)) throw error;
    return {
      class: error.constructor.name,
      status: error.status ?? null,
      type: error.error.error.type,
      param: error.error.error.param ?? null,
      request_id: error.requestID ?? null,
    };
  }
  return { class: null };
}

async function count() {
  const asked = client.messages.countTokens({ model: MODEL, messages: ASK });
  const { data, response } = await asked.withResponse();
  const estimated = response.headers.get("x-tensoria-estimated");
  return { input_tokens: data.input_tokens, estimated };
}

const cityOf = async () => {
  const format = jsonSchemaOutputFormat(PLACE);
  const asked = { ...whole, model: "writes-json", output_config: { format } };
  return (await client.messages.parse(asked)).parsed_output.city;
};

const report = {
  models: (await all(client.models.list({ limit: 2 }))).map((model) => model.id),
  retrieved: await client.models.retrieve(MODEL),
  message: await create({}),
  bearer: (await bearer.messages.create(whole)).content[0].type,
  beta: (
    await client.beta.messages.create({ ...whole, betas: ["interleaved-thinking-2025-05-14"] })
  ).content[0].type,
  "raw stream": (await all(create({ stream: true }))).map((event) => event.type),
  stream: await helped({}),
  thinking: await helped({ model: "thinks", thinking: { type: "adaptive" } }),
  count: await count(),
  parsed: await cityOf(),
  tools: [await toolLoop(false), await toolLoop(true)],
  "tool runner": await runTools(),
  errors: {
    "wrong key": await failure(() => stranger.models.list()),
    "unknown model": await failure(() => create({ model: "none" })),
    "unknown model retrieved": await failure(() => client.models.retrieve("org/none:7b")),
    "bad value": await failure(() => create({ temperature: 9 })),
    "engine broken": await failure(() => create({ model: "broken" })),
    "engine down": await failure(() => down.messages.create(whole)),
    "broken in the stream": await failure(() => all(create({ model: "breaks-off", stream: true }))),
  },
};
process.stdout.write(JSON.stringify(report));
