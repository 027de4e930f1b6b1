// Sends events of usage with the SDK of CloudEvents for JavaScript, with its defaults, in each mode. Reads {"address",
// "token", "event"} from stdin, and writes the statuses by mode to stdout as JSON.
import { readFileSync } from "node:fs";
import { CloudEvent, HTTP, emitterFor } from "cloudevents";

const { address, token, event } = JSON.parse(readFileSync(0, "utf8"));
const authorization = `Bearer ${token}`;
const usage = (id, data = event.data) => new CloudEvent({ ...event, id, data, sampledrate: 1 });

async function post({ headers, body }) {
  const answer = await fetch(address, { method: "POST", headers: { ...headers, authorization }, body });
  await answer.arrayBuffer();
  return answer.status;
}

const emitted = emitterFor((message) => post(message));
const statuses = {
  default: await emitted(usage("js-default")),
  binary: await post(HTTP.binary(usage("js-binary"))),
  structured: await post(HTTP.structured(usage("js-structured"))),
  // 0.2 * 3 is 0.6000000000000001 in JavaScript.
  double: await post(HTTP.structured(usage("js-double", { ...event.data, quantity: 0.2 * 3 }))),
  bytes: await post(HTTP.structured(usage("js-bytes", Buffer.from(JSON.stringify(event.data))))),
  // The SDK reads batches and has no call that makes one: an array of its events is one.
  batch: await post({
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify([usage("js-batch-1"), usage("js-batch-2")]),
  }),
};
process.stdout.write(JSON.stringify(statuses));
