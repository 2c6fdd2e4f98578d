// Every journey through the console, on the executable that is the first argument. Further arguments choose journeys by name.
import { finish } from "./kit.mjs";
for (const name of ["session", "orders", "money", "live", "team", "places", "tasks"]) await import(`./${name}.mjs`);
await finish();
