// Do with OpenAI's client for Node what programs do with responses that are kept; print it as JSON.
//
//     node memory_node.mjs BASE_URL KEY
//
// The same steps, in the same words, as memory_python.py.
import OpenAI from "openai";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const { responses, conversations } = client;
const PLACE = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER = { type: "function", name: "weather", strict: true, parameters: PLACE };
const RUNNING = ["queued", "in_progress"];

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
    return { class: error.constructor.name, code: error.code ?? null, param: error.param ?? null };
  }
  return { class: null };
}

// Ask, follow up whole, streamed and in a form, read it again, and forget it.
async function chain() {
  const first = await responses.create({ model: "recalls", input: "One", metadata: { topic: "x" } });
  const before = { previous_response_id: first.id };
  const second = await responses.create({ model: "recalls", input: "Two", ...before });
  const stream = responses.stream({ model: "recalls", input: "Three", ...before });
  const streamed = await stream.finalResponse();
  const format = { type: "json_schema", name: "place", schema: PLACE, strict: true };
  const form = { model: "says-json", input: "Where?", text: { format } };
  const place = await responses.parse({ ...form, ...before });
  const kept = await responses.retrieve(second.id);
  const items = await all(responses.inputItems.list(second.id, { order: "asc" }));
  await responses.delete(second.id);
  const follow = { model: "recalls", input: "x", previous_response_id: second.id };
  return {
    second: second.output_text,
    streamed: streamed.output_text,
    parsed: JSON.parse(place.output_text).city,
    same: isDeepStrictEqual(kept, second),
    metadata: (await responses.retrieve(first.id)).metadata,
    items: items.map((item) => item.content[0].text),
    deleted: await failure(() => responses.retrieve(second.id)),
    followed: await failure(() => responses.create(follow)),
  };
}

// Send nothing but the results of tools, until there are no calls.
async function toolLoop(streaming) {
  const cities = [];
  let told = { input: "Weather?" };
  for (;;) {
    const asked = { model: "calls-twice", tools: [WEATHER], ...told };
    const said = streaming
      ? await responses.stream(asked).finalResponse()
      : await responses.create(asked);
    const [call] = said.output.filter((item) => item.type === "function_call");
    if (!call) return { cities, answer: said.output_text, tokens: said.usage.total_tokens };
    cities.push(JSON.parse(call.arguments).city);
    const result = { type: "function_call_output", call_id: call.call_id, output: "4 C" };
    told = { input: [result], previous_response_id: said.id };
  }
}

// Let the model that waits go on, as soon as it has been asked.
const release = () => responses.create({ model: "releases", input: "Go", store: false });

// Ask without waiting, and poll as OpenAI's guide does.
async function background() {
  let asked = await responses.create({ model: "waits", input: "Hi", background: true });
  const first = asked.status;
  await release();
  while (RUNNING.includes(asked.status)) {
    await sleep(20);
    asked = await responses.retrieve(asked.id);
  }
  return { first, last: asked.status, text: asked.output_text };
}

const textOf = (events) =>
  events.map((each) => (each.type === "response.output_text.delta" ? each.delta : "")).join("");

// Leave a stream in its middle and read the rest: by `retrieve`, and by the helper.
async function resumed() {
  const asked = { model: "waits", input: "Hi", background: true, stream: true };
  const seen = [];
  for await (const event of await responses.create(asked)) {
    seen.push(event);
    if (event.type === "response.output_text.delta") break;
  }
  await release();
  const { id } = seen[0].response;
  const from = { starting_after: seen.at(-1).sequence_number };
  const rest = await all(responses.retrieve(id, { stream: true, ...from }));
  const events = [...seen, ...rest];
  const helped = await all(responses.stream({ response_id: id, ...from }));
  return {
    "in order": events.every((event, index) => event.sequence_number === index),
    before: textOf(seen),
    after: textOf(rest),
    last: events.at(-1).type,
    whole: events.at(-1).response.output.at(-1).content[0].text,
    helped: helped.at(-1).type,
  };
}

// End an answer that would never end.
async function cancelled() {
  const asked = await responses.create({ model: "hangs", input: "Hi", background: true });
  const ended = await responses.cancel(asked.id);
  return { status: ended.status, kept: (await responses.retrieve(asked.id)).status };
}

// Talk in a conversation, read it, change it, and forget it.
async function conversation() {
  const items = [{ type: "message", role: "user", content: "Before." }];
  const made = await conversations.create({ metadata: { topic: "x" }, items });
  const asked = { model: "recalls", conversation: made.id };
  const said = await responses.create({ input: "One", ...asked });
  const streamed = await responses.stream({ input: "Two", ...asked }).finalResponse();
  const kept = await all(conversations.items.list(made.id, { order: "asc" }));
  const of = { conversation_id: made.id };
  const one = await conversations.items.retrieve(kept[1].id, of);
  await conversations.items.delete(kept[1].id, of);
  const left = await all(conversations.items.list(made.id));
  const changed = await conversations.update(made.id, { metadata: { topic: "y" } });
  await conversations.delete(made.id);
  return {
    named: said.conversation.id === made.id,
    said: said.output_text,
    streamed: streamed.output_text,
    roles: kept.map((item) => item.role),
    one: one.content[0].text,
    left: left.length,
    metadata: changed.metadata,
    deleted: await failure(() => conversations.retrieve(made.id)),
  };
}

// Ask for what was never there.
async function errors() {
  const asked = { model: "recalls", input: "x" };
  const { id } = await responses.create(asked);
  return {
    "unknown response": await failure(() => responses.retrieve("resp_none")),
    "unknown previous": await failure(() =>
      responses.create({ ...asked, previous_response_id: "resp_none" }),
    ),
    "unknown conversation": await failure(() =>
      responses.create({ ...asked, conversation: "conv_none" }),
    ),
    "not in the background": await failure(() => responses.cancel(id)),
  };
}

const report = {
  chain: await chain(),
  tools: [await toolLoop(false), await toolLoop(true)],
  background: await background(),
  resumed: await resumed(),
  cancelled: await cancelled(),
  conversation: await conversation(),
  errors: await errors(),
};
process.stdout.write(JSON.stringify(report));
