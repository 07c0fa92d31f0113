// Do with OpenAI's client for Node what programs do with it, and print what came of it as JSON.
//
//     node openai_node.mjs BASE_URL KEY BASE_URL_WITHOUT_ENGINE
//
// The same steps, in the same words, as openai_python.py.
import OpenAI from "openai";

const ASK = [{ role: "user", content: "Hi" }];
const [baseURL, apiKey, downURL] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const stranger = new OpenAI({ baseURL, apiKey: "wrong", maxRetries: 0 });
const down = new OpenAI({ baseURL: downURL, apiKey, maxRetries: 0 });
const chat = (request) => client.chat.completions.create({ messages: ASK, ...request });

async function all(iterable) {
  const found = [];
  for await (const item of await iterable) found.push(item);
  return found;
}

// How a step failed: the client's class, and what OpenAI's envelope told.
async function failure(step) {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return {
      class: error.constructor.name,
      status: error.status ?? null,
      code: error.code ?? null,
      param: error.param ?? null,
      request_id: error.requestID ?? null,
    };
  }
  return { class: null };
}

const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

// Let the model call a tool, send the result back, and return what was said of it.
async function toolLoop(stream) {
  const asked = { model: "calls-tools", tools: [WEATHER] };
  const said = stream
    ? await client.chat.completions.stream({ messages: ASK, ...asked }).finalChatCompletion()
    : await chat(asked);
  const { message, finish_reason: reason } = said.choices[0];
  const [call] = message.tool_calls;
  const result = { role: "tool", tool_call_id: call.id, content: "4 C" };
  const answer = await chat({ ...asked, messages: [...ASK, message, result] });
  return {
    reason,
    city: JSON.parse(call.function.arguments).city,
    answer: answer.choices[0].message.content,
  };
}

const models = (await all(client.models.list())).map((model) => model.id);
const retrieved = [];
for (const model of models) retrieved.push((await client.models.retrieve(model)).id);

const report = {
  models,
  retrieved,
  chat: await chat({ model: "smollm2:135m" }),
  stream: await all(
    chat({ model: "smollm2:135m", stream: true, stream_options: { include_usage: true } }),
  ),
  completion: await client.completions.create({
    model: "smollm2:135m",
    prompt: ["a", "b"],
    echo: true,
  }),
  "completion stream": await all(
    client.completions.create({ model: "smollm2:135m", prompt: "a", stream: true }),
  ),
  tools: [await toolLoop(false), await toolLoop(true)],
  embeddings: [
    await client.embeddings.create({ model: "all-minilm", input: ["Hi", "Hello"] }),
    await client.embeddings.create({
      model: "all-minilm",
      input: ["Hi", "Hello"],
      encoding_format: "float",
    }),
  ],
  errors: {
    "wrong key": await failure(() => stranger.models.list()),
    "unknown model": await failure(() => chat({ model: "no-such-model" })),
    "unknown model retrieved": await failure(() => client.models.retrieve("org/none:7b")),
    "bad value": await failure(() => chat({ model: "smollm2", temperature: 9 })),
    "model that chats": await failure(() =>
      client.embeddings.create({ model: "smollm2:135m", input: "Hi" }),
    ),
    "engine broken": await failure(() => chat({ model: "broken" })),
    "engine down": await failure(() => down.chat.completions.create({ model: "x", messages: ASK })),
    "broken in the stream": await failure(() => all(chat({ model: "breaks-off", stream: true }))),
  },
};
process.stdout.write(JSON.stringify(report));
