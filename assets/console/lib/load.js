// Loading for pages: one thing, or a list that goes on.
import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { begun, head } from "./live.js";
import { here, restoreScroll } from "./router.js";
import { logins } from "./session.js";

/**
 * Loads again when an input changes and after a log-in; what is there stays until the new is.
 * @template T @param {() => Promise<T>} load @param {unknown[]} inputs
 * @returns {{data: T | undefined, problem: any, reload: () => Promise<void>}}
 */
export function useLoad(load, inputs) {
  const [state, setState] = useState(/** @type {{data: T | undefined, problem: any, inputs: string}} */ ({ data: undefined, problem: null, inputs: "" }));
  const turn = useRef(0);
  const name = JSON.stringify(inputs);
  const reload = async () => {
    const mine = ++turn.current;
    try {
      const data = await load();
      if (mine === turn.current) setState({ data, problem: null, inputs: name });
    } catch (problem) {
      if (mine === turn.current) setState(was => ({ data: was.inputs === name ? was.data : undefined, problem, inputs: name }));
    }
  };
  useEffect(() => { reload(); return () => { turn.current++; }; }, [...inputs, logins.value]);
  useLayoutEffect(restoreScroll, [state.data !== undefined]);
  return { data: state.data, problem: state.problem, reload };
}

const PAGE = 100, KEPT_LISTS = 8;
/** @typedef {{rows: any[], next: string | null, total: number, since: number | undefined}} List */
/** Lists as they were left, so that Back shows the same rows at the same place. @type {Map<string, List>} */
const kept = new Map();
// What one user has seen is not the next one's.
logins.subscribe(() => kept.clear());

/**
 * A list that loads further pages as the reader comes near its end.
 * @param {string} path with its filters @param {{count?: boolean, live?: boolean}} [options]
 */
export function useList(path, { count = true, live = false } = {}) {
  const [list, setList] = useState(/** @type {List | null} */ (here.value.back ? kept.get(path) ?? null : null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const at = useRef(path), busy = useRef(false), turn = useRef(0);
  const end = useRef(/** @type {Element | null} */ (null));
  const join = path.includes("?") ? "&" : "?";

  const show = (/** @type {List | null} */ to) => {
    if (to) { kept.delete(path); kept.set(path, to); if (kept.size > KEPT_LISTS) kept.delete(kept.keys().next().value ?? ""); }
    setList(to);
  };
  const reload = async () => {
    const mine = ++turn.current;
    busy.current = true;
    setProblem(null);
    try {
      if (live) await begun;
      const since = head.peek();
      const page = await ask(`${path}${join}limit=${PAGE}${count ? "&count=true" : ""}`);
      if (mine === turn.current) show({ rows: page.data, next: page.page.next, total: page.page.total ?? page.data.length, since });
    } catch (problem) {
      if (mine === turn.current) setProblem(problem);
    }
    busy.current = false;
  };
  const more = async () => {
    if (!list?.next || busy.current) return;
    const mine = turn.current;
    busy.current = true;
    setProblem(null);
    try {
      const page = await ask(`${path}${join}limit=${PAGE}&cursor=${encodeURIComponent(list.next)}`);
      if (mine === turn.current) show({ ...list, rows: [...list.rows, ...page.data], next: page.page.next });
    } catch (problem) {
      if (mine === turn.current) setProblem(problem);
    }
    busy.current = false;
  };

  const first = useRef(true);
  useEffect(() => {
    if (first.current && list) { first.current = false; return; }
    first.current = false;
    if (at.current !== path) { at.current = path; const known = here.peek().back && kept.get(path); setList(known || null); if (known) return; }
    reload();
  }, [path, logins.value]);
  useLayoutEffect(restoreScroll, [list !== null]);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => { if (entry.isIntersecting && !problem) more(); }, { rootMargin: "800px" });
    if (end.current) watch.observe(end.current);
    return () => watch.disconnect();
  });
  const replace = (/** @type {any} */ row) => { if (list) show({ ...list, rows: list.rows.map(one => one.id === row.id ? row : one) }); };
  return { list, problem, reload, more, replace, end };
}
