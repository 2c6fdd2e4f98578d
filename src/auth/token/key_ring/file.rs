//! The file of the key ring: JSON that only its owner can read, replaced atomically.

use super::{KeyRing, MIN_SECRET_BYTES, SEALING_BYTES, SigningKey};
use crate::{
    domain::time::Timestamp,
    error::{Error, Result},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The longest key identifier.
const MAX_KEY_ID_LENGTH: usize = 64;
/// The largest file, with room for dozens of keys.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The user identifier of root.
const ROOT: u32 = 0;
/// Only the owner may read and write the file.
const MODE: u32 = 0o600;

/// The content of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<Entry>,
    /// base64url without padding. A file without one was written by hand: then the first key stands in for it.
    sealing_key: Option<Zeroizing<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kid: String,
    /// base64url without padding.
    secret: Zeroizing<String>,
    created_at: String,
    not_after: Option<String>,
}

impl KeyRing {
    /// Loads the ring from the file at `path`. If there is no file, generates a ring and writes it to disk first.
    ///
    /// # Errors
    /// `internal`; its cause names the path and the fault in one line.
    pub fn load_or_create(path: &Path, now: Timestamp) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let ring = Self::generate(now)?;
                ring.save(path)?;
                Ok(ring)
            }
            _ => Self::load(path),
        }
    }

    /// Loads the ring from the file at `path`.
    ///
    /// # Errors
    /// `internal`; its cause names the path and the fault in one line.
    pub fn load(path: &Path) -> Result<Self> {
        read_private(path).and_then(|text| Self::parse(&text)).map_err(|reason| refusal(path, &reason))
    }

    /// Replaces the file at `path`. After a crash there is either the old file or the new one.
    ///
    /// # Errors
    /// `internal`; its cause names the path and the fault in one line.
    pub fn save(&self, path: &Path) -> Result<()> {
        let file = KeyFile {
            keys: self.keys.iter().map(SigningKey::entry).collect(),
            sealing_key: Some(Zeroizing::new(URL_SAFE_NO_PAD.encode(self.sealing_key.as_slice()))),
        };
        let text = serde_json::to_vec_pretty(&file).map(Zeroizing::new).map_err(Error::internal)?;
        replace(path, &text).map_err(|error| refusal(path, &error.to_string()))
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_slice(text).map_err(|error| format!("malformed: {error}"))?;
        let keys = file.keys.iter().map(SigningKey::from_entry).collect::<Result<Vec<_>, _>>()?;
        let first = keys.first().ok_or("it has no key")?;
        if first.not_after.is_some() {
            return Err(format!("key {} is the first, so it signs and must have no not_after", first.id));
        }
        for (i, key) in keys.iter().enumerate() {
            if keys[..i].iter().any(|other| other.id == key.id) {
                return Err(format!("it has key {} twice", key.id));
            }
        }
        let sealing_key = match &file.sealing_key {
            Some(text) => sealing_key(text).ok_or("the sealing_key is not 32 bytes in base64url without padding")?,
            None => Zeroizing::new(first.derive(b"sealing")),
        };
        Ok(Self { keys, sealing_key })
    }
}

impl SigningKey {
    fn entry(&self) -> Entry {
        Entry {
            kid: self.id.clone(),
            secret: Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_slice())),
            created_at: self.created_at.to_string(),
            not_after: self.not_after.map(|end| end.to_string()),
        }
    }

    fn from_entry(entry: &Entry) -> Result<Self, String> {
        let id = &entry.kid;
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if id.is_empty() || id.len() > MAX_KEY_ID_LENGTH || !id.bytes().all(plain) {
            return Err(format!("a kid must be 1 to {MAX_KEY_ID_LENGTH} letters, digits, - or _"));
        }
        let secret = URL_SAFE_NO_PAD.decode(entry.secret.as_bytes()).map(Zeroizing::new);
        let secret = secret.map_err(|_| format!("the secret of key {id} is not base64url without padding"))?;
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!("the secret of key {id} is shorter than {MIN_SECRET_BYTES} bytes"));
        }
        let time = |text: &String| Timestamp::parse(text).ok_or_else(|| format!("key {id} has a bad time: {text:?}"));
        let created_at = time(&entry.created_at)?;
        let not_after = entry.not_after.as_ref().map(time).transpose()?;
        Ok(Self { id: id.clone(), secret, created_at, not_after })
    }
}

fn sealing_key(text: &str) -> Option<Zeroizing<[u8; SEALING_BYTES]>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).map(Zeroizing::new).ok()?;
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

fn refusal(path: &Path, reason: &str) -> Error {
    Error::internal(format!("signing key file {}: {reason}", path.display()))
}

/// Reads a file; refuses one that others than its owner can read or write.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() {
        return Err("it is not a file".into());
    }
    if mode & 0o077 != 0 {
        return Err(format!("others than its owner may use it (mode {mode:03o}); make it {MODE:03o}"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1));
    file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Writes and syncs a new file, renames it, and syncs the folder so that the new name survives a crash. What root makes
/// belongs to the owner of the file that it replaces, or of the folder, so that the service can still read it.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // A symbolic link stays one: other servers may read the file that it leads to.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut new = OsString::from(path);
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
    // The umask restricts the mode at creation, but not this one.
    file.set_permissions(Permissions::from_mode(MODE))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owned = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
    if file.metadata()?.uid() == ROOT && owned.uid() != ROOT {
        // A root without this privilege, as in some containers, runs the service too.
        let _ = fchown(&file, Some(owned.uid()), Some(owned.gid()));
    }
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);
    const OVERLAP: Duration = Duration::from_mins(15);

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn ids(ring: &KeyRing) -> Vec<&str> {
        ring.keys().iter().map(|key| key.id.as_str()).collect()
    }

    fn reason(text: &str) -> String {
        KeyRing::parse(text.as_bytes()).err().unwrap_or_default()
    }

    fn entry(kid: &str, secret_bytes: usize, not_after: &str) -> String {
        let secret = URL_SAFE_NO_PAD.encode(vec![7; secret_bytes]);
        format!(r#"{{"kid":"{kid}","secret":"{secret}","created_at":"2026-11-23T03:14:11Z","not_after":{not_after}}}"#)
    }

    #[test]
    fn a_created_file_is_private_and_is_loaded_again() {
        let folder = folder();
        let path = folder.path().join("orderd.keys");
        let created = KeyRing::load_or_create(&path, NOW).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let loaded = KeyRing::load_or_create(&path, NOW.plus(OVERLAP)).unwrap();
        assert_eq!(ids(&created), ids(&loaded));
        assert_eq!(created.keys()[0].secret, loaded.keys()[0].secret);
        assert_eq!(created.sealing_key, loaded.sealing_key);
        assert_eq!(loaded.keys()[0].created_at, NOW);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file remains");
    }

    #[test]
    fn a_temporary_file_of_an_interrupted_write_is_replaced() {
        let folder = folder();
        let path = folder.path().join("orderd.keys");
        fs::write(folder.path().join("orderd.keys.new"), "half").unwrap();
        assert!(KeyRing::load_or_create(&path, NOW).is_ok());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_named() {
        let folder = folder();
        let path = folder.path().join("orderd.keys");
        KeyRing::load_or_create(&path, NOW).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = KeyRing::load_or_create(&path, NOW).err().unwrap();
            let cause = error.cause().unwrap().to_string();
            assert_eq!(
                cause,
                format!(
                    "signing key file {}: others than its owner may use it (mode {mode:o}); make it 600",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn missing_and_huge_files_and_folders_are_refused() {
        let folder = folder();
        assert!(KeyRing::load(&folder.path().join("absent")).is_err());
        assert!(KeyRing::load_or_create(folder.path(), NOW).is_err());
        let huge = folder.path().join("huge");
        replace(&huge, &vec![b' '; 70_000]).unwrap();
        let cause = KeyRing::load(&huge).err().unwrap().cause().unwrap().to_string();
        assert!(cause.ends_with("it is larger than 65536 bytes"), "{cause}");
    }

    #[test]
    fn malformed_files_are_refused_with_the_reason() {
        let good = entry("a", 32, "null");
        let sealing = URL_SAFE_NO_PAD.encode([8; 32]);
        let file = |keys: &str| format!(r#"{{"keys":[{keys}],"sealing_key":"{sealing}"}}"#);
        assert_eq!(reason(&file(&good)), "");
        assert_eq!(reason(&format!(r#"{{"keys":[{good}]}}"#)), "");
        for (text, expected) in [
            (String::new(), "malformed: EOF"),
            ("{}".into(), "malformed: missing field `keys`"),
            (file(""), "it has no key"),
            (file(&format!("{good},{good}")), "it has key a twice"),
            (file(&good).replace("\"sealing_key\"", "\"more\":1,\"sealing_key\""), "malformed: unknown field `more`"),
            (file(&good).replace(&sealing, "short"), "the sealing_key is not 32 bytes"),
            (file(&entry("a", 31, "null")), "the secret of key a is shorter than 32 bytes"),
            (file(&entry("../a", 32, "null")), "a kid must be"),
            (file(&entry("", 32, "null")), "a kid must be"),
            (file(&entry("a", 32, "\"soon\"")), "key a has a bad time"),
            (file(&entry("a", 32, "\"2026-11-23T03:14:11Z\"")), "key a is the first"),
            (file(&good.replace("BwcH", "B=cH")), "the secret of key a is not base64url"),
        ] {
            assert!(reason(&text).starts_with(expected), "{text}: {}", reason(&text));
        }
    }
}
