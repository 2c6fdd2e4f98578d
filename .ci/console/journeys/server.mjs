// One server with demo data for all journeys.
import { serve } from "./kit.mjs";
export const demo = await serve("--demo");
