// A receiver of webhooks: verifies each message and drops repetitions. `npm install standardwebhooks`
import { createServer, type IncomingMessage } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET!);
const seen = new Set<string>(); // in a real receiver a table, written in the transaction of the effect

async function read(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

createServer(async (request, response) => {
  const headers = request.headers as Record<string, string>;
  let message: { type: string; data: { seq?: number } };
  try {
    message = webhook.verify(await read(request), headers) as typeof message;
  } catch {
    response.writeHead(401).end();
    return;
  }
  const id = headers["webhook-id"];
  if (!seen.has(id)) {
    seen.add(id);
    console.log(JSON.stringify([message.type, message.data.seq ?? null]));
  }
  response.writeHead(204).end();
}).listen(Number(process.env.PORT), "127.0.0.1");
