//! The kind of a file system, by the number that statfs(2) reports. What to do about it is decided by the callers.

use rustix::fs::{FsWord, statfs};
use std::{io, path::Path};

/// The kind of a file system, with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A local disk: locks work, and a sync reaches the disk.
    Local(&'static str),
    /// Another machine. Locks and shared memory, on which SQLite relies, are not reliable there.
    Network(&'static str),
    /// A folder shared into a container or virtual machine. Whether locks work depends on the kind of sharing.
    Shared(&'static str),
    /// Memory, or the layer of a container: the content is lost with a restart.
    Volatile(&'static str),
    /// A file system that is not in the list, with its number.
    Unknown(u32),
}

const KNOWN: [(u32, FileSystem); 19] = [
    (0xef53, FileSystem::Local("ext4")),
    (0x5846_5342, FileSystem::Local("xfs")),
    (0x9123_683e, FileSystem::Local("btrfs")),
    (0x2fc1_2fc1, FileSystem::Local("zfs")),
    (0xf2f5_2010, FileSystem::Local("f2fs")),
    (0xca45_1a4e, FileSystem::Local("bcachefs")),
    (0x6969, FileSystem::Network("NFS")),
    (0x517b, FileSystem::Network("SMB")),
    (0xfe53_4d42, FileSystem::Network("SMB")),
    (0xff53_4d42, FileSystem::Network("SMB")),
    (0x5346_414f, FileSystem::Network("AFS")),
    (0x6b41_4653, FileSystem::Network("AFS")),
    (0x7375_7245, FileSystem::Network("Coda")),
    (0x00c3_6400, FileSystem::Network("Ceph")),
    (0x0bd0_0bd0, FileSystem::Network("Lustre")),
    (0x0102_1997, FileSystem::Shared("9p")),
    (0x0102_1994, FileSystem::Volatile("tmpfs")),
    (0x8584_58f6, FileSystem::Volatile("ramfs")),
    (0x794c_7630, FileSystem::Volatile("overlay")),
];

/// The file system of `folder`.
pub fn of(folder: &Path) -> io::Result<FileSystem> {
    Ok(numbered(statfs(folder)?.f_type))
}

fn numbered(number: FsWord) -> FileSystem {
    // The numbers have 32 bits; some machines report them sign-extended.
    let number = u32::try_from(number & 0xffff_ffff).unwrap_or_default();
    KNOWN.iter().find(|(known, _)| *known == number).map_or(FileSystem::Unknown(number), |(_, known)| *known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_recognised_by_their_numbers() {
        assert_eq!(numbered(0xef53), FileSystem::Local("ext4"));
        assert_eq!(numbered(0x6969), FileSystem::Network("NFS"));
        assert_eq!(numbered(0xff53_4d42), FileSystem::Network("SMB"));
        assert_eq!(numbered(0xff53_4d42_u32.cast_signed().into()), FileSystem::Network("SMB"));
        assert_eq!(numbered(0x1234), FileSystem::Unknown(0x1234));
    }

    #[test]
    fn every_number_is_listed_once() {
        for (i, (number, _)) in KNOWN.iter().enumerate() {
            assert!(KNOWN[..i].iter().all(|(other, _)| other != number), "{number:#x}");
        }
    }
}
