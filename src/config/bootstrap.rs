//! The first administrator, from environment variables. These variables are not settings: they take effect only on a
//! database without users, and the password is never stored or shown.

use std::{fmt, fs, path::Path};

const EMAIL: &str = "ORDERD_ADMIN_EMAIL";
const PASSWORD: &str = "ORDERD_ADMIN_PASSWORD";
const PASSWORD_FILE: &str = "ORDERD_ADMIN_PASSWORD_FILE";

/// The environment variables that this module reads.
pub(super) const VARIABLES: [&str; 3] = [EMAIL, PASSWORD, PASSWORD_FILE];

/// The first administrator. An empty variable counts as not set.
#[derive(Debug, Default)]
pub struct Bootstrap {
    /// `ORDERD_ADMIN_EMAIL`, unchecked.
    pub email: Option<String>,
    /// `ORDERD_ADMIN_PASSWORD`, or the content of the file `ORDERD_ADMIN_PASSWORD_FILE`.
    pub password: Option<Secret>,
}

impl Bootstrap {
    pub(super) fn read(environment: &[(String, String)], faults: &mut Vec<String>) -> Self {
        let variable = |wanted: &str| {
            let found = environment.iter().find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let password = match (variable(PASSWORD), variable(PASSWORD_FILE)) {
            (Some(_), Some(_)) => {
                faults.push(format!("{PASSWORD} and {PASSWORD_FILE} are both set: set only one of them"));
                None
            }
            (None, Some(path)) => read_secret(PASSWORD_FILE, Path::new(&path)).map_err(|fault| faults.push(fault)).ok(),
            (password, None) => password.map(Secret),
        };
        Self { email: variable(EMAIL), password }
    }
}

/// The content of a file without the line end that editors add.
pub(super) fn read_secret(name: &str, path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: cannot read {shown}: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(format!("{name}: {shown} is empty")) } else { Ok(Secret(line.to_owned())) }
}

/// Text that is never shown: `Debug` prints `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Bootstrap, Vec<String>) {
        let environment: Vec<_> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut faults = vec![];
        (Bootstrap::read(&environment, &mut faults), faults)
    }

    #[test]
    fn a_password_comes_from_the_variable_or_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, " correct horse \r\n").unwrap();
        let (bootstrap, faults) = read(&[(EMAIL, "ada@example.com"), (PASSWORD_FILE, path.to_str().unwrap())]);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(bootstrap.email.as_deref(), Some("ada@example.com"));
        assert_eq!(bootstrap.password.unwrap().expose(), " correct horse ");

        let (bootstrap, _) = read(&[(PASSWORD, "battery staple"), (PASSWORD_FILE, "")]);
        assert_eq!(bootstrap.password.unwrap().expose(), "battery staple");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let (bootstrap, _) = read(&[(PASSWORD, "battery staple")]);
        assert_eq!(format!("{bootstrap:?}"), "Bootstrap { email: None, password: Some(***) }");
    }

    #[test]
    fn a_missing_file_and_two_passwords_are_refused() {
        let (_, faults) = read(&[(PASSWORD_FILE, "/no/such/file")]);
        assert!(faults[0].starts_with("ORDERD_ADMIN_PASSWORD_FILE: cannot read /no/such/file: "), "{faults:?}");
        let (bootstrap, faults) = read(&[(PASSWORD, "a"), (PASSWORD_FILE, "/b")]);
        assert_eq!(faults, ["ORDERD_ADMIN_PASSWORD and ORDERD_ADMIN_PASSWORD_FILE are both set: set only one of them"]);
        assert!(bootstrap.password.is_none());
    }
}
