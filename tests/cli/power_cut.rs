//! The power is cut: the database lies on an ext4 image of its own, the server is held still, the image is copied as it
//! is, and the copy is mounted as after a restart of the machine. What the server did not have synced is not in it.
//! Under `full` nothing acknowledged may be missing; under `normal` something has to be, else the cut proves nothing.
//! Needs root and loop devices. `ORDERD_SOAK=N` makes it N cycles.
//!
//! What was given to the image counts as on the disk: a disk that loses its own cache in spite of a flush is not tried.

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Server},
    support::Workplace,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

/// A mounted image, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts `image`, without the writing back of what nobody asks for that a running system does in time.
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

/// Loads a server, cuts the power, and gives how many acknowledged requests there were and how many of them are lost.
fn cut(durability: &str, cycle: u64) -> Option<(usize, usize)> {
    let place = Workplace::new();
    let (image, copy) = (place.path().join("image"), place.path().join("copy"));
    fs::File::create(&image).unwrap().set_len(48 << 20).unwrap();
    let made = run("mkfs.ext4", &["-q", image.to_str().unwrap()]);
    let disk = made.then(|| Mounted::of(&image, &place.path().join("disk"))).flatten()?;
    let oracle = Oracle::new(&place);
    let arguments = format!("--db disk/orders.db --durability {durability}");
    let server = Server::try_start(&place, "", &ADMIN, &arguments).unwrap();
    let load = oracle.load(&server.admin(), 4);
    sleep(Duration::from_millis(200 + cycle * 41 % 300));
    let id = server.id().to_string();
    assert!(run("kill", &["-STOP", &id]));
    // Held still once the signal has reached every thread.
    sleep(Duration::from_millis(20));
    fs::copy(&image, &copy).unwrap();
    server.kill();
    load.join();
    drop(disk);
    let _after = Mounted::of(&copy, &place.path().join("disk")).unwrap();
    let server = Server::try_start(&place, "", &ADMIN, &arguments).unwrap();
    let (done, lost) = (oracle.done(), oracle.lost(&server.admin()));
    if durability == "full" {
        oracle.holds(&server, &place, "disk/orders.db");
    }
    assert_eq!(server.stop().0, Some(0));
    Some((done, lost))
}

/// All cycles under this durability: requests that were acknowledged, and lost ones.
fn cuts(durability: &str, cycles: usize) -> Option<(usize, usize)> {
    let mut sum = (0, 0);
    for cycle in 0..cycles {
        let (done, lost) = cut(durability, u64::try_from(cycle).unwrap())?;
        sum = (sum.0 + done, sum.1 + lost);
    }
    Some(sum)
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let cycles = soak().unwrap_or(1);
    if !rustix::process::geteuid().is_root() {
        return say(format_args!("skipped: the power can only be cut by root"));
    }
    let Some((done, lost)) = cuts("full", cycles) else {
        return say(format_args!("skipped: no ext4 image can be made or mounted here"));
    };
    let (control, control_lost) = cuts("normal", cycles).unwrap();
    say(format_args!(
        "power cuts: {cycles} under full, {done} requests acknowledged, {lost} lost; {cycles} under normal, {control} \
         acknowledged, {control_lost} lost"
    ));
    assert!(done > 0 && lost == 0, "{lost} of {done}");
    assert!(control_lost > 0, "under normal nothing was lost either: this run proves nothing");
}
