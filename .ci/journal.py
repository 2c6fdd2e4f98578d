#!/usr/bin/env python3
"""Two orderd processes on one journal in PostgreSQL, under load: kill -9 of a process, kill -9 of PostgreSQL with a promotion of
its synchronous standby, and the control: a standby that lags must lose orders, and both processes must notice. Each order that
was acknowledged must be there, once, at both; each unknown outcome is sent again and must give one order. PostgreSQL's programs
must be installed. Usage: .ci/journal.py path/to/orderd [fail-overs]
"""

import os
import random
import signal
import sys
import tempfile
import time

from cluster import BINARIES, Load, begin, check, pair, run


def fail_over(binary, folder, rounds):
    primary, standby, url = pair(os.path.join(folder, "pg"), "sync")
    primary.wait_for_standby("sync")
    processes, token = begin(binary, folder, url)
    load = Load(processes, token)
    for number in range(rounds):
        load.step = "load"
        time.sleep(random.uniform(1.5, 3))
        load.step = "process killed"
        processes[number % 2].process.kill()
        processes[number % 2].process.wait()
        processes[number % 2].start()
        time.sleep(random.uniform(0.5, 1.5))
        load.step = "fail-over"
        primary.kill()
        standby.promote()
        load.wait_for()
        primary, standby = standby, primary
        load.step = "new standby"
        standby.follow(primary)
        primary.wait_for_standby("sync")
    load.wait_for()
    check(all(process.process.poll() is None for process in processes), "a process has ended")
    print(f"{rounds} fail-overs and as many kills: {load.prove()}")
    primary.kill()
    standby.kill()


def control(binary, folder):
    """Without a synchronous standby, orders are lost. Otherwise the run above proves nothing."""
    folder = os.path.join(folder, "control")
    primary, standby, url = pair(os.path.join(folder, "pg"), "async")
    primary.wait_for_standby("async")
    processes, token = begin(binary, folder, url)
    load = Load(processes, token)
    time.sleep(1.5)
    receivers = standby.processes("walreceiver")
    for pid in receivers:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    primary.kill()
    for pid in receivers:
        os.kill(pid, signal.SIGKILL)
    standby.promote()
    codes = [process.process.wait(timeout=60) for process in processes]
    load.stop()
    check(codes == [3, 3], f"the processes have ended with {codes}")
    for process in processes:
        process.start()
        check(os.path.exists(process.copy + ".aside-1"), "the file that holds more is not set aside")
        check("holds what the journal has lost" in process.log(), "the log does not say so")
    lost = load.missing()
    check(lost, "the control has lost nothing: it proves nothing")
    print(f"control: {len(lost)} of {len(load.acknowledged)} acknowledged orders lost; both processes noticed")
    for process in processes:
        process.stop()
    standby.kill()


def main():
    binary, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    check(BINARIES, "install PostgreSQL first: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        fail_over(binary, folder, rounds)
        control(binary, folder)


main()
