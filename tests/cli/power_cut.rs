//! Simulates a power cut. The database is on an ext4 image of its own. The server is stopped with SIGSTOP, the image is
//! copied, and the copy is mounted as after a restart of the machine: it lacks everything that was not synced. With
//! durability `full` nothing acknowledged may be missing. With `normal` something must be missing, otherwise the test
//! proves nothing. Needs root and loop devices. `ORDERD_SOAK=N` runs N cycles.
//!
//! What was written to the image counts as on the disk. Disks that lose their cache in spite of a flush are not
//! simulated.

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Server},
    strace::slow_syncs,
    support::TestDir,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// A mounted image. Dropping it unmounts the image.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts `image` with a long commit interval, so that the system writes little back on its own.
    fn of(image: &Path, at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        run("mount", &["-o", "loop,commit=300", image.to_str()?, at.to_str()?]).then(|| Self(at.to_path_buf()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// What the command of a server begins with; `None` if that cannot be done here.
type Wrapper = fn(&TestDir) -> Option<String>;

/// Loads a server and cuts the power. Returns the number of acknowledged requests and of lost ones; `None` if that
/// cannot be done here.
fn cut(durability: &str, wrapper: Wrapper, cycle: u64) -> Option<(usize, usize)> {
    let dir = TestDir::new();
    let (image, copy) = (dir.path().join("image"), dir.path().join("copy"));
    fs::File::create(&image).unwrap().set_len(48 << 20).unwrap();
    let made = run("mkfs.ext4", &["-q", image.to_str().unwrap()]);
    let disk = made.then(|| Mounted::of(&image, &dir.path().join("disk"))).flatten()?;
    let oracle = Oracle::new(&dir);
    let arguments = format!("--db disk/orders.db --durability {durability}");
    let server = Server::try_start(&dir, &wrapper(&dir)?, &ADMIN, &arguments).unwrap();
    let load = oracle.load(&server.admin(), 4);
    sleep(Duration::from_millis(200 + cycle * 41 % 300));
    // By then a server with slow syncs has them beside its writer.
    let deadline = Instant::now() + Duration::from_secs(20);
    while oracle.done() < 20 && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    let id = server.id().to_string();
    assert!(run("kill", &["-STOP", &id]));
    // Gives the signal time to reach every thread.
    sleep(Duration::from_millis(20));
    fs::copy(&image, &copy).unwrap();
    server.kill();
    load.join();
    drop(disk);
    let _after = Mounted::of(&copy, &dir.path().join("disk")).unwrap();
    let server = Server::try_start(&dir, "", &ADMIN, &arguments).unwrap();
    let (done, lost) = (oracle.done(), oracle.lost(&server.admin()));
    if durability == "full" {
        oracle.holds(&server, &dir, "disk/orders.db");
    }
    assert_eq!(server.stop().0, Some(0));
    Some((done, lost))
}

/// Sums of [`cut`] over all cycles.
fn cuts(durability: &str, wrapper: Wrapper, cycles: usize) -> Option<(usize, usize)> {
    let mut sum = (0, 0);
    for cycle in 0..cycles {
        let (done, lost) = cut(durability, wrapper, u64::try_from(cycle).unwrap())?;
        sum = (sum.0 + done, sum.1 + lost);
    }
    Some(sum)
}

/// Cuts the power with durability `full` and, as a control, with `normal`.
fn acknowledged_writes_survive(wrapper: Wrapper) {
    let cycles = soak().unwrap_or(1);
    if !rustix::process::geteuid().is_root() {
        return say(format_args!("skipped: only root can simulate a power cut"));
    }
    let Some((done, lost)) = cuts("full", wrapper, cycles) else {
        return say(format_args!("skipped: ext4 images cannot be created or mounted here, or strace does not work"));
    };
    let (control, control_lost) = cuts("normal", wrapper, cycles).unwrap();
    say(format_args!(
        "power cuts: {cycles} under full, {done} requests acknowledged, {lost} lost; {cycles} under normal, {control} \
         acknowledged, {control_lost} lost"
    ));
    assert!(done > 0 && lost == 0, "{lost} of {done}");
    assert!(control_lost > 0, "nothing was lost with durability normal either, so this run proves nothing");
}

#[test]
fn acknowledged_writes_survive_a_power_cut() {
    acknowledged_writes_survive(|_| Some(String::new()));
}

#[test]
fn acknowledged_writes_survive_a_power_cut_where_syncs_are_slow() {
    // Longer than it takes to stop the server and to copy the image, so that no sync that was begun ends before that.
    acknowledged_writes_survive(|dir| slow_syncs(dir, "disk/orders.db", 300));
}
