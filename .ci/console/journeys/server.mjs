// One server with demo data for all journeys. It may send to receivers on this machine.
import { serve } from "./kit.mjs";
export const demo = await serve("--demo", "--set", "webhooks.allow_private=true");
