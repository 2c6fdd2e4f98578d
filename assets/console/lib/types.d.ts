// The words of the API for the checker, known in every file. They are made from `orderd openapi`; the browser never sees this file.
import type { components } from "../../../.ci/console/api";
type Schemas = components["schemas"];
declare global {
  type ProblemBody = Pick<Schemas["Problem"], "type" | "title" | "status" | "code" | "request_id" | "retryable" | "detail" | "errors"> & Record<string, unknown>;
  type Me = Schemas["Me"];
  type Settings = Schemas["Settings"] & { oidc_button?: string | null };
  type Order = Schemas["Order"];
  type OrderItem = Schemas["Item"];
  type Transaction = Schemas["Transaction"];
  type OrderEvent = Schemas["Event"] & { data: any };
  type DailyRow = Schemas["DailyRow"];
  type BackupSchedule = Schemas["BackupSchedule"];
  type User = Schemas["User"];
  type Signal<T> = import("../vendor/preact.js").Signal<T>;
  type Loaded = ReturnType<typeof import("./load.js").useList>;
  type Icon = import("../ui/icons.js").Icon;
}
