#!/usr/bin/env python3
"""What can go wrong between orderd processes and the journal in PostgreSQL, each fault made for real and under load: what clients
are answered meanwhile, and that afterwards each acknowledged order is there once. Steps that need a tool that is not installed
are skipped with a message. Usage: .ci/faults.py path/to/orderd [step…]
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from cluster import AS_POSTGRES, BINARIES, Load, Orderd, Postgres, begin, check, free_port, pair, run

CLIENTS = 6


class Place:
    """A folder, a server of PostgreSQL, and what is to be undone."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.undo = binary, folder, []
        self.server = Postgres(self.inside("pg"), "one")
        self.server.create()

    def inside(self, name):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        return folder

    def database(self, name, more=""):
        self.server.sql(f"CREATE DATABASE {name} {more}")
        return f"postgres://postgres@127.0.0.1:{self.server.port}/{name}?sslmode=disable"

    def clean(self):
        for step in reversed(self.undo):
            step()
        self.server.kill()


def answer_of(process, token):
    """What a reader is answered."""
    status, body = process.call("GET", "/v1/orders?limit=1", token=token)
    return f"{status} {body.get('code', '')}".strip()


def readiness_of(process):
    """Whether a process is ready, and why not."""
    status, body = process.call("GET", "/readyz")
    return status, [one["name"] for one in body["checks"] if not one["ok"]]


def until(holds, what, within=20):
    begun = time.time()
    while not holds():
        check(time.time() < begun + within, what)
        time.sleep(0.05)
    return time.time() - begun


def orders(process, token, count):
    """Places many orders at once, by imports that the buffers between the two hold."""
    item = {"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100}
    for begun in range(0, count, 1000):
        lines = [json.dumps({"currency": "EUR", "items": [item], "note": os.urandom(700).hex(), "external_ref": os.urandom(9).hex()})
                 for _ in range(min(1000, count - begun))]
        status, results = process.send("/v1/orders/import", "\n".join(lines).encode(), "application/x-ndjson", token)
        check(status == 200 and results.count(b'"created"') == len(lines), f"import: {status} {results[:300]}")


def fill(folder):
    """Fills the file system of a folder with one file."""
    path = os.path.join(folder, "filler")
    with open(path, "wb") as filler:
        try:
            while filler.write(bytes(1 << 20)):
                filler.flush()
        except OSError:
            return path


def pooler(place):
    """PgBouncer in its mode `transaction`, killed and started anew; PostgreSQL behind it restarted; a process killed."""
    if not shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"):
        return print("faults: skipped PgBouncer: it is not installed")
    folder, port = place.inside("bouncer"), free_port()
    place.database("pooled")
    settings = os.path.join(folder, "pgbouncer.ini")
    with open(settings, "w") as file:
        file.write(f"""[databases]
pooled = host=127.0.0.1 port={place.server.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_login_retry = 1
""")

    def start():
        with open(os.path.join(folder, "log"), "ab") as log:
            started = subprocess.Popen([*AS_POSTGRES, "pgbouncer", settings], stdout=log, stderr=log,
                                       env={"PATH": "/usr/sbin:/usr/bin"})
        place.undo.append(started.kill)
        time.sleep(0.5)
        return started

    bouncer = start()
    processes, token = begin(place.binary, place.inside("pooled"), f"postgres://postgres@127.0.0.1:{port}/pooled?sslmode=disable")
    load = Load(processes, token, CLIENTS)
    load.wait_for(100)
    load.step = "pooler killed"
    bouncer.kill()
    bouncer.wait()
    start()
    load.wait_for()
    load.step = "process killed"
    processes[1].process.kill()
    processes[1].process.wait()
    processes[1].start()
    load.step = "server restarted"
    place.server.restart()
    load.wait_for()
    return load.prove()


def server_stands_still(place):
    """PostgreSQL does not answer for six seconds: readers are told within two, and all goes on by itself."""
    processes, token = begin(place.binary, place.inside("still"), place.database("still"))
    load = Load(processes, token, CLIENTS)
    load.wait_for()
    load.step = "still"
    stopped = place.server.processes()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    asked = time.time()
    check(answer_of(processes[0], token) == "503 overloaded", "a reader is not told")
    waited = time.time() - asked
    check(waited < 3, f"a reader waits for {waited:.1f} s")
    until(lambda: readiness_of(processes[0])[0] == 503, "still ready")
    time.sleep(max(0, asked + 6 - time.time()))
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    load.wait_for()
    load.step = "after"
    return f"a reader was told after {waited:.1f} s; {load.prove()}"


def sessions_exhausted(place):
    """No session is to be had (SQLSTATE 53300). The role is no superuser, and owns the database."""
    place.server.sql("CREATE ROLE orderd LOGIN")
    url = place.database("counted", "OWNER orderd").replace("postgres@", "orderd@")
    processes, token = begin(place.binary, place.inside("counted"), url)
    load = Load(processes, token, CLIENTS)
    load.wait_for()
    held = int(place.server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'orderd'"))
    load.step = "none to be had"
    place.server.sql("ALTER ROLE orderd CONNECTION LIMIT 0")
    place.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orderd'")
    check(answer_of(processes[0], token) == "503 overloaded", "a reader is not told")
    until(lambda: "journal" in readiness_of(processes[0])[1], "readiness does not name the journal")
    place.server.sql("ALTER ROLE orderd CONNECTION LIMIT -1")
    load.wait_for()
    until(lambda: readiness_of(processes[0])[0] == 200, "not ready")
    load.step = "after"
    check("53300" in processes[0].log() + processes[1].log(), "the log does not say why")
    return f"{held} sessions of two processes; {load.prove()}"


def disk_full(place):
    """The disk of the tables is full (SQLSTATE 53100): a small file system in memory."""
    folder = place.inside("small")
    if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", "size=48m,mode=777", "tmpfs", folder).returncode != 0:
        return print("faults: skipped a full disk: no file system can be mounted")
    place.undo.append(lambda: run("umount", "-l", folder))
    space = os.path.join(folder, "space")
    os.mkdir(space)
    shutil.chown(space, "postgres")
    place.server.sql(f"CREATE TABLESPACE small LOCATION '{space}'")
    processes, token = begin(place.binary, place.inside("full"), place.database("crammed", "TABLESPACE small"))
    load = Load(processes, token, CLIENTS)
    load.wait_for()
    load.step = "full"
    filler = fill(folder)
    until(lambda: load.answers.get("503 storage_full", 0) > 5, f"no 503 storage_full: {load.answers}", 60)
    # What is left of the last page may take an entry: none can be promised.
    reads = {answer_of(process, token) for process in processes for _ in range(10)}
    check(reads == {"200"}, f"reads: {reads}")
    os.remove(filler)
    load.wait_for()
    load.step = "after"
    place.server.sql("CHECKPOINT")
    return load.prove()


def transactions_aborted(place):
    """Serialization failures and deadlocks (40001, 40P01) at one of three appends: nobody is told, the changes run again."""
    processes, token = begin(place.binary, place.inside("aborted"), place.database("aborted"))
    check(place.server.sql("""
        CREATE SEQUENCE attempts; CREATE SEQUENCE aborted;
        CREATE FUNCTION abort() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF nextval('attempts') % 3 = 0 THEN
            IF nextval('aborted') % 2 = 0 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
            RAISE EXCEPTION USING ERRCODE = '40P01';
          END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER abort BEFORE INSERT ON orderd.journal FOR EACH ROW EXECUTE FUNCTION abort()""", "aborted"), "no trigger")
    load = Load(processes, token, CLIENTS)
    load.wait_for(100)
    load.stop()
    check(set(load.answers) == {"201"}, load.answers)
    aborted = int(place.server.sql("SELECT last_value FROM aborted", "aborted"))
    check(aborted > 5, "nothing was aborted")
    return f"{aborted} appends aborted; {load.prove()}"


def wait_cut_short(place):
    """The wait for the standby is cancelled: the order is not vouched for until a later commit reaches the standby."""
    primary, standby, url = pair(place.inside("cut"), "cut")
    place.undo += [standby.kill, primary.kill]
    primary.wait_for_standby("sync")
    processes, token = begin(place.binary, place.inside("cut-orderd"), url)
    receivers = standby.processes("walreceiver")
    body = {"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100}]}

    def place_order(process, key, answers):
        answers.append(process.call("POST", "/v1/orders", body, token, key))

    def cut(end, key):
        """How an order is answered whose wait is ended."""
        answers = []
        placing = threading.Thread(target=place_order, args=(processes[0], key, answers))
        placing.start()
        waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"
        until(lambda: primary.sql(waits), "nobody waits for the standby")
        primary.sql(f"SELECT {end}(pid) FROM ({waits}) AS w")
        placing.join()
        status, answer = answers[0]
        return f"{status} {answer.get('code', '')}"

    for end in ("pg_cancel_backend", "pg_terminate_backend"):
        # Who waits may be another session, behind which the order cannot be begun in time.
        for key in (f"{end}-{attempt}" for attempt in range(5)):
            for pid in receivers:
                os.kill(pid, signal.SIGSTOP)
            told = cut(end, key)
            if told != "503 overloaded":
                break
            for pid in receivers:
                os.kill(pid, signal.SIGCONT)
            until(lambda: readiness_of(processes[0])[0] == 200, "not ready")
        check(told == "503 outcome_unknown", f"{end}: {told}")
        # It is in the journal of this one machine, and a repetition must not vouch for it either.
        again = []
        repeating = threading.Thread(target=place_order, args=(processes[1], key, again))
        repeating.start()
        repeating.join(timeout=1.5)
        check(not again, f"{end}: answered without the standby: {again}")
        for pid in receivers:
            os.kill(pid, signal.SIGCONT)
        repeating.join()
        if again[0][0] != 201:
            again.append(processes[1].call("POST", "/v1/orders", body, token, key))
        check(again[-1][0] == 201, f"{end}: {again}")
        # Now it survives the loss of the primary.
    primary.kill()
    standby.promote()
    for process in processes:
        status, found = process.call("GET", f"/v1/orders/{again[-1][1]['id']}", token=token)
        check(status == 200, f"vouched for, and lost: {status} {found}")
        process.stop_and_verify()
    return "the client was told so each time, and what was vouched for afterwards survived a fail-over"


def last_step_cut_short(place):
    """The wait of a restore for the standby is cancelled: it is over only when the standby has all of it."""
    primary, standby, url = pair(place.inside("last"), "last")
    place.undo += [standby.kill, primary.kill]
    primary.wait_for_standby("sync")
    processes, token = begin(place.binary, place.inside("last-orderd"), url)
    orders(processes[0], token, 10)
    backup = place.inside("backup") + "/backup.db"
    flags = ["--db", url] + [part for key, value in processes[0].settings.items() for part in ("--set", f"{key}={value}")]
    run(place.binary, "backup", *flags, "--out", backup)
    for process in processes:
        process.stop()
    for pid in standby.processes("walreceiver"):
        os.kill(pid, signal.SIGSTOP)
    with subprocess.Popen([place.binary, "restore", *flags, backup], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as restore:
        waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"
        until(lambda: primary.sql(waits), "nobody waits for the standby")
        primary.sql(f"SELECT pg_cancel_backend(pid) FROM ({waits}) AS w")
        time.sleep(1.5)
        check(restore.poll() is None, "over without the standby")
        for pid in standby.processes("walreceiver"):
            os.kill(pid, signal.SIGCONT)
        said = restore.communicate()[0]
    check(restore.returncode == 0, said)
    primary.kill()
    standby.promote()
    processes[0].start()
    status, found = processes[0].call("GET", "/v1/orders?limit=20", token=processes[0].log_in())
    check(status == 200 and len(found["data"]) == 10, f"lost: {status} {found}")
    processes[0].stop_and_verify()
    return "it waited again, and what was restored survived a fail-over"


def deposed(place):
    """A primary that is cut off from its standby and goes on, while the standby takes over: it acknowledges nothing."""
    primary, standby, url = pair(place.inside("deposed"), "deposed")
    place.undo += [standby.kill, primary.kill]
    primary.wait_for_standby("sync")
    processes, token = begin(place.binary, place.inside("deposed-orderd"), url)
    load = Load(processes, token, CLIENTS)
    load.wait_for()
    load.step = "deposed"
    for pid in standby.processes("walreceiver"):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.5)
    before = len(load.acknowledged)
    time.sleep(2)
    check(len(load.acknowledged) == before, "acknowledged without the standby")
    # Its server starts another receiver in place of a killed one.
    standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
    standby.sql("SELECT pg_reload_conf()")
    for pid in standby.processes("walreceiver"):
        os.kill(pid, signal.SIGKILL)
    standby.promote()
    time.sleep(2)
    check(len(load.acknowledged) == before, "the deposed primary acknowledges")
    # It is fenced.
    primary.kill()
    load.wait_for()
    load.step = "after"
    return load.prove()


def partition(place):
    """One of three processes is cut off from PostgreSQL, in a network of its own, and comes back; then again, with its turn."""
    if os.geteuid() != 0 or not shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return print("faults: skipped a partition: it needs root and `ip`")
    space, ours = f"orderd-{os.getpid()}", f"od{os.getpid() % 100000}"
    place.undo.append(lambda: run("ip", "netns", "del", space))
    for command in (f"netns add {space}", f"link add {ours}a type veth peer name clients netns {space}",
                    f"link add {ours}b type veth peer name journal netns {space}",
                    f"addr add 198.51.100.1/30 dev {ours}a", f"addr add 198.51.100.5/30 dev {ours}b",
                    f"link set {ours}a up", f"link set {ours}b up", f"-n {space} addr add 198.51.100.2/30 dev clients",
                    f"-n {space} addr add 198.51.100.6/30 dev journal", f"-n {space} link set clients up", f"-n {space} link set journal up"):
        made = run("ip", *command.split())
        if made.returncode != 0:
            return print(f"faults: skipped a partition: {made.stderr.strip()}")
    place.server.listen("127.0.0.1,198.51.100.5", "198.51.100.4/30")
    url = place.database("cut")
    folder = place.inside("partition")
    processes, token = begin(place.binary, folder, url)
    # Clients reach it by one link, and it reaches PostgreSQL by the other.
    apart = Orderd(place.binary, folder, "apart", url.replace("127.0.0.1", "198.51.100.5"), "198.51.100.2",
                   ["ip", "netns", "exec", space])
    processes.append(apart)
    load = Load(processes, token, CLIENTS)
    for _ in range(2):
        load.step = "together"
        load.wait_for(100)
        load.step = "cut off"
        run("ip", "link", "set", f"{ours}b", "down")
        cut = time.time()
        check(answer_of(apart, token) == "503 overloaded", "it answers readers")
        until(lambda: readiness_of(apart)[0] == 503, "it is ready")
        check(all(readiness_of(process)[0] == 200 for process in processes[:2]), "the others are not ready")
        load.wait_for()
        time.sleep(max(0.0, cut + 7 - time.time()))
        run("ip", "link", "set", f"{ours}b", "up")
        load.step = "back"
        until(lambda: readiness_of(apart)[0] == 200, "it does not come back", 30)
        until(lambda: answer_of(apart, token) == "200", "it does not come back", 30)
    return load.prove()


def snapshots(place):
    """A snapshot is put into the journal under load, and lets it forget entries; a process that lacks them joins anew."""
    processes, token = begin(place.binary, place.inside("snapshots"), place.database("snapshots"))
    away = Orderd(place.binary, place.inside("snapshots"), "away", processes[0].url)
    away.stop()
    orders(processes[0], token, 9500)
    load = Load(processes, token, 2)
    entries = "SELECT min(seq), max(seq), sum(length(body)) FROM orderd.journal"
    before = place.server.sql(entries, "snapshots")
    # These are a day old.
    place.server.sql("UPDATE orderd.journal SET at = at - interval '25 hours'", "snapshots")
    taken = until(lambda: place.server.sql("SELECT snapshot FROM orderd.turn", "snapshots") != "0", "no snapshot", 150)
    after = place.server.sql(entries, "snapshots")
    check(int(after.split("|")[0]) > 1, f"nothing was forgotten: {before}, {after}")
    kept = place.server.sql("SELECT count(DISTINCT seq), count(*) FROM orderd.snapshot", "snapshots")
    check(kept.startswith("1|"), f"snapshots: {kept}")
    begun = time.time()
    fourth = Orderd(place.binary, place.inside("snapshots"), "fourth", processes[0].url)
    joined = time.time() - begun
    check("fetched the snapshot" in fourth.log(), "it did not join from the snapshot")
    away.start()
    check("fetched the snapshot" in away.log(), "it did not join anew")
    load.processes += [fourth, away]
    load.wait_for()
    load.stop()
    check(not load.missing() and not load.stale, "acknowledged orders are missing")
    for process in load.processes:
        process.stop_and_verify()
    ends = {process.end() for process in load.processes}
    check(len(ends) == 1, f"the files differ: {ends}")
    return (f"after {taken:.0f} s, {kept.split('|')[1]} MiB; entries, bytes before {before}, after {after}; joined in "
            f"{joined:.1f} s; longest waits: {load.waits()}; {load.answers}")


def own_disk_full(place):
    """The disk of one process's file is full: that process alone refuses, and goes on when there is room."""
    folder = place.inside("own-disk")
    if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", folder).returncode != 0:
        return print("faults: skipped a full disk of a process: no file system can be mounted")
    place.undo.append(lambda: run("umount", "-l", folder))
    url = place.database("own")
    small = Orderd(place.binary, folder, "small", url)
    other = Orderd(place.binary, place.inside("own"), "other", url, key=small.key)
    token = small.set_up()
    orders(other, token, 10)
    filler = fill(folder)
    for _ in range(12):
        orders(other, token, 200)
    until(lambda: readiness_of(small)[0] == 503, "the process with the full disk is ready")
    check(answer_of(small, token).startswith("503"), "it answers without the newest orders")
    check(readiness_of(other)[0] == 200 and answer_of(other, token) == "200", "the other process is not ready")
    os.remove(filler)
    taken = until(lambda: readiness_of(small)[0] == 200 and answer_of(small, token) == "200", "it does not go on")
    orders(small, token, 10)
    check(answer_of(other, token) == "200", "the other process does not follow")
    for process in (small, other):
        process.stop_and_verify()
    check(small.end() == other.end(), f"the files differ: {small.end()} {other.end()}")
    return f"refused, and ready {taken:.1f} s after there was room"


def damaged(place):
    """A file that is lost or damaged is made anew. An entry that is damaged in the journal stops whoever reads it."""
    folder = place.inside("damaged")
    processes, token = begin(place.binary, folder, place.database("damaged"))
    one, two = processes
    two.stop()
    os.remove(two.copy)
    two.start()
    orders(one, token, 5)
    check(answer_of(two, token) == "200", "it has not joined anew")
    two.stop()
    os.truncate(two.copy, os.path.getsize(two.copy) // 2)
    two.start()
    check(answer_of(two, token) == "200" and os.path.exists(two.copy + ".aside-1"), "it has not joined anew")
    two.process.send_signal(signal.SIGSTOP)
    orders(one, token, 5)
    changed = place.server.sql("UPDATE orderd.journal SET body = set_byte(body, 40, get_byte(body, 40) # 1) "
                               "WHERE seq = (SELECT max(seq) FROM orderd.journal) RETURNING seq", "damaged")
    two.process.send_signal(signal.SIGCONT)
    codes = [two.process.wait(timeout=20), two.try_to_start()]
    check(codes == [3, 3], f"exit codes {codes}")
    check(f"entry {changed.split()[0]} of the journal is damaged" in two.log() and os.path.exists(two.copy), two.log()[-1500:])
    check(answer_of(one, token) == "200", "the other process does not go on")
    one.stop_and_verify()
    return f"exit codes {codes}, the file is kept, the log names the entry; the process that had written it goes on"


# The first one waits for the minute after which a snapshot is looked for.
STEPS = [snapshots, partition, pooler, server_stands_still, sessions_exhausted, disk_full, transactions_aborted, wait_cut_short,
         last_step_cut_short, deposed, own_disk_full, damaged]


def make(step, binary):
    begun = time.time()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        place = Place(binary, folder)
        try:
            said = step(place)
        finally:
            place.clean()
    if said:
        print(f"faults: {step.__name__.replace('_', ' ')}: {said} ({time.time() - begun:.0f} s)", flush=True)


def main():
    binary, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    check(BINARIES, "install PostgreSQL first: apt-get install postgresql")
    steps = [step for step in STEPS if not wanted or step.__name__ in wanted]
    # Some of them wait most of the time.
    with ThreadPoolExecutor(max_workers=2) as lanes:
        for made in [lanes.submit(make, step, binary) for step in steps]:
            made.result()


main()
