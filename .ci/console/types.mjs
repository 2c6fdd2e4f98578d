// Makes api.d.ts, the types of the API, from the OpenAPI document on standard input.
import openapi, { astToString } from "openapi-typescript";
import { writeFile } from "node:fs/promises";
import { json } from "node:stream/consumers";

const document = await json(process.stdin);
await writeFile(new URL("api.d.ts", import.meta.url), astToString(await openapi(document)));
