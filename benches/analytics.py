#!/usr/bin/env python3
"""Times the reports on 90 days, beside PostgreSQL and DuckDB over the same rows in the same run.

    cargo build --release
    benches/analytics.py target/*/release/orderd [ORDERS…]     1000000, or as many as are named, one table each

Makes each file by `orderd demo` in a folder under TMPDIR: a million orders take some minutes and 9 GB in all. Needs Python.
PostgreSQL's programs (Debian: postgresql) and the PyPI package `duckdb`, which pip installs into that folder if it is
missing, are optional: without them their columns are empty. `inside` is the call of the use case in the program, and needs
cargo. `request` is a whole HTTP request from this script, whose own time is included. PostgreSQL and DuckDB answer the same
questions with indexes that cover the queries (PostgreSQL: index-only scans after VACUUM) and days that are a plain division.
Times are in milliseconds, median and 99th percentile; for `inside` also the median of 90 days that were not asked before.
"""
import csv, glob, json, os, shutil, sqlite3, subprocess, sys, tempfile, time
from datetime import datetime, timedelta, timezone
from whole import Server, p

DAYS = 90
PAGE = 50
BYTES = 9_000  # of disk for each order: the file, and the copies of its rows
SECONDS = 5  # the most time for repeating a question
TIMES = 200  # the most repetitions
OFFSETS = {"UTC": 0, "Asia/Kathmandu": 20_700_000}  # milliseconds
QUESTIONS = [(name, zone, basis) for name in ("daily", "revenue-by-user", "status-counts", "top-items", "taxes") for zone in OFFSETS
             for basis in (("cash", "booked") if name in ("daily", "revenue-by-user") else ("booked",))]
SUMMED = {"daily": (2, "net_amount"), "top-items": (4, "total_amount"), "taxes": (3, "tax_amount")}  # compared: column, field

# The tables of PostgreSQL and DuckDB: the columns that the questions need, times in milliseconds, users as numbers. What was
# reversed is a row of its own that takes back the amounts. A credit that is reversed after a cancellation is cancelled then,
# and not at the cancellation, which had left it out. Items are without the goods that came back.
MOVES = """SELECT t.occurred_at AS at, 1 AS sign, 0 AS cancelled, t.* FROM transactions t WHERE status IN ('succeeded', 'reversed')
    UNION ALL SELECT t.reversed_at, -1, coalesce(o.cancelled_at <= t.reversed_at, 0), t.* FROM transactions t JOIN orders o ON o.seq = order_seq WHERE t.status = 'reversed'
    UNION ALL SELECT o.cancelled_at, 0, -1, t.* FROM transactions t JOIN orders o ON o.seq = order_seq WHERE t.status = 'reversed' AND o.cancelled_at <= t.reversed_at"""
PARTS = """SELECT order_seq, coalesce(tax_rate, -1) AS rate, total_amount - tax_amount AS net, tax_amount AS tax FROM order_items
    UNION ALL SELECT seq, coalesce(CAST(round((value ->> 'tax_rate') * 10000) AS INTEGER), -1), (value ->> 'total_amount') - (value ->> 'tax_amount'), value ->> 'tax_amount' FROM orders, json_each(fees)"""
TABLES = {
    "orders": ("seq bigint, placed_at bigint, cancelled_at bigint, currency varchar(3), customer bigint, status varchar(9), payment_status varchar(18), total bigint, tax bigint, credited bigint",
               "SELECT o.seq, placed_at, cancelled_at, currency, u.number, o.status, payment_status, total_amount, tax_amount, credited_amount FROM orders o LEFT JOIN numbered u ON u.id = o.user_id WHERE placed_at IS NOT NULL"),
    "transactions": ("occurred_at bigint, currency varchar(3), customer bigint, paid bigint, refunded bigint, credited bigint, cancelled bigint",
                     "SELECT at, currency, u.number, sign * iif(kind = 'payment', amount, 0), sign * iif(kind = 'refund', amount, 0), sign * credit_amount, cancelled * credit_amount"
                     f" FROM ({MOVES}) JOIN orders o ON o.seq = order_seq LEFT JOIN numbered u ON u.id = o.user_id"),
    "items": ("order_seq bigint, sku varchar(64), quantity bigint, total bigint",
              "SELECT order_seq, sku, quantity - returned_quantity, total_amount - (2 * total_amount * returned_quantity + quantity) / (2 * quantity) FROM order_items WHERE returned_quantity < quantity"),
    "taxes": ("counted_at bigint, currency varchar(3), rate integer, net bigint, tax bigint",
              f"SELECT placed_at, currency, rate, net, tax FROM ({PARTS}) JOIN orders o ON o.seq = order_seq WHERE placed_at IS NOT NULL"
              f" UNION ALL SELECT cancelled_at, currency, rate, -net, -tax FROM ({PARTS}) JOIN orders o ON o.seq = order_seq WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL"
              " UNION ALL SELECT cancelled_at, currency, tax_rate, x.credited_net_amount, x.credited_tax_amount FROM order_credits x JOIN orders o ON o.seq = order_seq WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL"
              f" UNION ALL SELECT at, currency, coalesce(value ->> 0, -1), -(sign + cancelled) * (value ->> 1), -(sign + cancelled) * (value ->> 2) FROM ({MOVES}) JOIN orders o ON o.seq = order_seq, json_each(credit_taxes)"),
}
INDEXES = """
CREATE UNIQUE INDEX ON orders (placed_at, seq) INCLUDE (currency, customer, status, payment_status, total, tax);
CREATE INDEX ON orders (cancelled_at) INCLUDE (currency, customer, total, credited) WHERE cancelled_at IS NOT NULL;
CREATE INDEX ON transactions (occurred_at) INCLUDE (currency, customer, paid, refunded, credited, cancelled);
CREATE INDEX ON items (order_seq) INCLUDE (sku, quantity, total);
CREATE INDEX ON taxes (counted_at) INCLUDE (currency, rate, net, tax);
VACUUM (ANALYZE) orders; VACUUM (ANALYZE) transactions; VACUUM (ANALYZE) items; VACUUM (ANALYZE) taxes;
"""


def span(zone):
    """The last 90 days of `zone`: first and last date, and the range in milliseconds."""
    today = (datetime.now(timezone.utc) + timedelta(milliseconds=OFFSETS[zone])).date()
    first = today - timedelta(days=DAYS - 1)
    begin = int(datetime(first.year, first.month, first.day, tzinfo=timezone.utc).timestamp()) * 1000 - OFFSETS[zone]
    return first, today, begin, begin + DAYS * 86_400_000


def sql(name, zone, basis, divide):
    """The question as SQL. `divide` is the engine's operator for dividing integers."""
    _, _, begin, end = span(zone)
    during = lambda column: f"{column} >= {begin} AND {column} < {end}"
    if name == "status-counts":
        return f"SELECT status, payment_status, currency, count(*), sum(total) FROM orders WHERE {during('placed_at')} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    if name == "top-items":
        return f"""SELECT sku, currency, sum(quantity), count(DISTINCT order_seq), sum(i.total) FROM orders o JOIN items i ON i.order_seq = o.seq
            WHERE {during('placed_at')} AND status <> 'cancelled' GROUP BY 1, 2 ORDER BY 5 DESC, 1 LIMIT {PAGE}"""
    if name == "taxes":
        return f"SELECT rate, currency, sum(net), sum(tax) FROM taxes WHERE {during('counted_at')} GROUP BY 1, 2 ORDER BY 2, 1 DESC"
    key = (lambda column: f"({column} + {OFFSETS[zone]}) {divide} 86400000") if name == "daily" else lambda _: "customer"
    parts = [f"SELECT {key('placed_at')} AS k, currency, count(*) AS placed, 0 AS cancelled, sum(total) AS plus, 0 AS minus, sum(tax) AS tax FROM orders WHERE {during('placed_at')} GROUP BY 1, 2",
             f"SELECT {key('cancelled_at')}, currency, 0, count(*), 0, sum(total - credited), 0 FROM orders WHERE {during('cancelled_at')} GROUP BY 1, 2"]
    plus, minus = "0", "sum(credited + cancelled)"
    if basis == "cash":
        parts = [part.replace("sum(total)", "0").replace("sum(total - credited)", "0") for part in parts]
        plus, minus = "sum(paid)", "sum(refunded)"
    parts.append(f"SELECT {key('occurred_at')}, currency, 0, 0, {plus}, {minus}, 0 FROM transactions WHERE {during('occurred_at')} GROUP BY 1, 2")
    last = "ORDER BY 1, 2" if name == "daily" else f"ORDER BY 3 DESC, 1, 2 LIMIT {PAGE}"
    sums = "sum(plus) - sum(minus) AS net, sum(plus), sum(minus), sum(placed), sum(cancelled), sum(tax)"
    return f"SELECT k, currency, {sums} FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY 1, 2 {last}"


def path(name, zone, basis):
    first, last, _, _ = span(zone)
    only = f"&basis={basis}" if name in ("daily", "revenue-by-user") else ""
    page = f"&limit={PAGE}" if name in ("revenue-by-user", "top-items") else ""
    return f"/v1/analytics/{name}?from={first}&to={last}&tz={zone}{only}{page}"


def repeat(ask):
    """Median and 99th percentile of repeated calls of `ask`, after one that is not counted; none if it has no answer."""
    if ask() is None:
        return None
    times, until = [], time.monotonic() + SECONDS
    while len(times) < TIMES and time.monotonic() < until:
        begun = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begun)
    return p(times, 50), p(times, 99)


def requests(binary, folder, email, password):
    """Times whole requests. A server that does not know a report answers 404, and its cell stays empty."""
    server, found, nets = Server(binary, folder, email, password), {}, {}
    try:
        connection = server.connect()
        for question in QUESTIONS:
            def ask():
                status, answer = server.ask(connection, "GET", path(*question), **server.authorised())
                assert status in (200, 404), answer
                return answer if status == 200 else None
            found[question] = repeat(ask)
            if question[0] in SUMMED:
                nets[question] = sum(row[SUMMED[question[0]][1]] for row in json.loads(ask())["data"])
    finally:
        server.stop()
    return found, nets


def inside(folder):
    """Times the calls inside the program, by its own bench."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    if not shutil.which("cargo"):
        return {}
    command = ["cargo", "bench", "--quiet", "--bench", "reports", "--", f"{folder}/o.db"]
    lines = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1:]
    rows = (line.split() for line in lines)
    return {(name, zone, basis): tuple(float(time) / 1000 for time in times) for name, zone, basis, *times in rows}


def export(folder):
    """Writes the rows for PostgreSQL and DuckDB as CSV."""
    connection = sqlite3.connect(f"file:{folder}/o.db?mode=ro", uri=True)
    connection.execute("CREATE TEMP TABLE numbered AS SELECT id, row_number() OVER (ORDER BY id) AS number FROM users")
    connection.execute("CREATE UNIQUE INDEX temp.numbered_by_id ON numbered (id)")
    for table, (_, select) in TABLES.items():
        with open(f"{folder}/{table}.csv", "w", newline="") as file:
            csv.writer(file).writerows(connection.execute(select))


def postgres(folder):
    """Times PostgreSQL on a socket of its own, with settings for this amount of memory. It refuses to run as root."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) + [os.path.dirname(shutil.which("initdb") or "")]
    if not os.path.exists(f"{found[0]}/initdb"):
        print("PostgreSQL is left out: its programs are not installed")
        return {}, {}
    root = os.geteuid() == 0
    programs, data, user = found[0], f"{folder}/postgres", ["runuser", "-u", "postgres", "--"] if root else []
    os.mkdir(data, 0o700)
    if root:
        os.chmod(folder, 0o755)
        shutil.chown(data, "postgres")
    run = lambda *command, **more: subprocess.run([*user, *command], check=True, cwd="/", stdout=subprocess.PIPE, text=True, **more).stdout
    run(f"{programs}/initdb", "-D", data, "-U", "bench", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8")
    settings = f"-c listen_addresses= -c unix_socket_directories={data} -c shared_buffers=2GB -c work_mem=64MB -c maintenance_work_mem=512MB -c max_wal_size=8GB -c random_page_cost=1.1 -c jit=off"
    run(f"{programs}/pg_ctl", "-D", data, "-w", "-l", f"{data}/log", "-o", settings, "start")
    psql = lambda *more, **options: run(f"{programs}/psql", "-X", "-q", "-h", data, "-U", "bench", "-d", "postgres", "-v", "ON_ERROR_STOP=1", *more, **options)
    try:
        for table, (columns, _) in TABLES.items():
            psql("-c", f"CREATE TABLE {table} ({columns})")
            with open(f"{folder}/{table}.csv") as rows:
                psql("-c", f"COPY {table} FROM STDIN (FORMAT csv)", stdin=rows)
        psql(input=INDEXES)
        found, nets = {}, {}
        for question in QUESTIONS:
            query = sql(*question, "/")
            plan = psql("-At", "-c", f"EXPLAIN {query}")
            if "Seq Scan" in plan:
                print(f"PostgreSQL scans a table for {question}")
            once = float(psql("-At", "-c", r"\timing", "-c", query).splitlines()[-1].split()[1])
            count = max(5, min(TIMES, int(SECONDS * 1000 / once)))
            lines = psql("-At", input="\\timing\n\\o /dev/null\n" + f"{query};\n" * (count + 1)).splitlines()
            times = [float(line.split()[1]) / 1000 for line in lines if line.startswith("Time:")][1:]
            found[question] = p(times, 50), p(times, 99)
            if question[0] in SUMMED:
                nets[question] = sum(int(line.split("|")[SUMMED[question[0]][0]]) for line in psql("-At", "-c", query).splitlines())
        return found, nets
    finally:
        run(f"{programs}/pg_ctl", "-D", data, "-m", "fast", "stop")


def duck(folder):
    """Times DuckDB in a process of its own, with a Python that has the package."""
    python = sys.executable
    if subprocess.run([python, "-c", "import duckdb"], stderr=subprocess.DEVNULL).returncode != 0:
        python = f"{folder}/venv/bin/python"
        made = subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], stdout=subprocess.DEVNULL).returncode == 0
        if not made or subprocess.run([python, "-m", "pip", "install", "--quiet", "duckdb"]).returncode != 0:
            print("DuckDB is left out: it could not be installed")
            return {}, {}
    answer = subprocess.run([python, __file__, folder, "duckdb"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, nets = json.loads(answer)
    return {tuple(question): times for question, times in found}, {tuple(question): net for question, net in nets}


def in_duckdb(folder):
    import duckdb
    connection = duckdb.connect(f"{folder}/duck.db")
    for table, (columns, _) in TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute(f"COPY {table} FROM '{folder}/{table}.csv' (FORMAT csv, HEADER false)")
    connection.execute("CHECKPOINT")
    found, nets = [], []
    for question in QUESTIONS:
        query = sql(*question, "//")
        found.append((question, repeat(lambda: connection.execute(query).fetchall())))
        if question[0] in SUMMED:
            nets.append((question, sum(int(row[SUMMED[question[0]][0]]) for row in connection.execute(query).fetchall())))
    print(json.dumps([found, nets]))


def measure(binary, count, folder):
    room = shutil.disk_usage(folder).free
    if room < count * BYTES:
        sys.exit(f"{folder}: {count} orders need some {count * BYTES >> 30} GiB, and {room >> 30} GiB are free; set TMPDIR to a larger disk")
    begun = time.perf_counter()
    demo = [binary, "demo", "--orders", str(count), "--db", f"{folder}/o.db"]
    lines = subprocess.run(demo, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    taken = time.perf_counter() - begun
    _, _, _, email, password = next(line for line in lines if line.startswith("demo user: admin ")).split()
    print(f"{count} orders made in {taken:.0f} s, {count / taken:.0f} a second, {os.path.getsize(f'{folder}/o.db') >> 20} MiB")
    export(folder)
    columns = {"inside": inside(folder)}
    columns["request"], nets = requests(binary, folder, email, password)
    for name, run in (("PostgreSQL", postgres), ("DuckDB", duck)):
        columns[name], theirs = run(folder)
        unequal = [question for question, net in theirs.items() if nets[question] != net]
        assert not unequal, f"{name} comes to another sum for {unequal}"
    print(f"{'question':<16}{'zone':<16}{'basis':<8}" + "".join(f"{name:>22}" for name in columns))
    for question in QUESTIONS:
        cells = (column.get(question) for column in columns.values())
        cells = (" / ".join(f"{time:.2f}" for time in cell) if cell else "–" for cell in cells)
        print(f"{question[0]:<16}{question[1]:<16}{question[2]:<8}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


def main():
    if sys.argv[2:] == ["duckdb"]:
        return in_duckdb(sys.argv[1])
    if len(sys.argv) < 2 or not all(count.isdigit() for count in sys.argv[2:]):
        sys.exit(__doc__)
    for count in map(int, sys.argv[2:] or ["1000000"]):
        with tempfile.TemporaryDirectory() as folder:
            measure(os.path.abspath(sys.argv[1]), count, folder)


if __name__ == "__main__":
    main()
