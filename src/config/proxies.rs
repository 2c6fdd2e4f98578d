//! The proxies of outbound requests, from the environment variables that other programs read too. They are used only
//! with `outbound.proxy_from_environment`.

use super::{Network, Secret};
use crate::domain::url::{Host, Scheme, Url};
use percent_encoding::percent_decode_str;

const HTTPS: &str = "https_proxy";
const HTTP: &str = "http_proxy";
const ALL: &str = "all_proxy";
const EXCEPT: &str = "no_proxy";

/// Whether this module reads the environment variable. Its name may be in capitals.
pub(super) fn is_variable(name: &str) -> bool {
    [HTTPS, HTTP, ALL, EXCEPT].contains(&name.to_ascii_lowercase().as_str())
}

/// The proxies, and the hosts that are reached without one.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// An HTTP proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// The user name and password for it, with a colon between them.
    pub credentials: Option<Secret>,
}

#[derive(Clone, Debug)]
enum Exception {
    Everything,
    /// A host name and those that end with a dot and it.
    Name(String),
    Addresses(Network),
}

impl Proxies {
    pub(super) fn read(environment: &[(String, String)], faults: &mut Vec<String>) -> Self {
        // Where a variable is set in both spellings, the one in small letters counts, as it does for curl.
        let variable = |wanted: &str| {
            let set = |name: &str| environment.iter().find(|(found, value)| found == name && !value.is_empty());
            set(wanted).or_else(|| set(&wanted.to_ascii_uppercase()))
        };
        let mut proxy = |wanted| {
            let (name, value) = variable(wanted).or_else(|| variable(ALL))?;
            let parsed = Proxy::parse(value);
            // The value may contain a password, so it is not shown.
            parsed.map_err(|fault| faults.push(format!("environment variable {name}: {fault}"))).ok()
        };
        let (https, http) = (proxy(HTTPS), proxy(HTTP));
        let exceptions = variable(EXCEPT).map_or("", |(_, value)| value);
        let exceptions = exceptions.split(',').map(str::trim).filter(|text| !text.is_empty());
        Self { https, http, exceptions: exceptions.map(Exception::parse).collect() }
    }

    /// The proxy for this URL. None for this machine itself, which a proxy would take for its own.
    pub fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            Scheme::Https => self.https.as_ref(),
            Scheme::Http => self.http.as_ref(),
        }?;
        let is_local = match url.host() {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Address(address) => address.to_canonical().is_loopback(),
        };
        let is_exception = is_local || self.exceptions.iter().any(|exception| exception.covers(url.host()));
        (!is_exception).then_some(proxy)
    }
}

impl Proxy {
    /// Parses `http://proxy.example:3128`, also without `http://` and with a user name and a password.
    fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        if rest.contains("://") {
            return Err("must begin with http://: other kinds of proxies are not supported".to_owned());
        }
        let (credentials, server) =
            rest.rsplit_once('@').map_or((None, rest), |(before, server)| (Some(before), server));
        let url = Url::parse(&format!("http://{server}")).map_err(|fault| fault.to_string())?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| Secret::new(text.into_owned()));
        let credentials = credentials.map(decoded).transpose().map_err(|_| "the password is not UTF-8".to_owned())?;
        Ok(Self { host: url.host().clone(), port: url.port(), credentials })
    }
}

impl Exception {
    fn parse(text: &str) -> Self {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        match Network::parse(bare) {
            _ if text == "*" => Self::Everything,
            Ok(network) => Self::Addresses(network),
            Err(_) => Self::Name(text.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase()),
        }
    }

    fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Everything, _) => true,
            (Self::Addresses(network), Host::Address(address)) => network.contains(*address),
            (Self::Name(name), Host::Name(host)) => {
                host.strip_suffix(name.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Proxies, Vec<String>) {
        let environment: Vec<_> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut faults = vec![];
        (Proxies::read(&environment, &mut faults), faults)
    }

    /// The proxy for a URL, as `host:port`; `-` for none.
    fn of(proxies: &Proxies, url: &str) -> String {
        let found = proxies.of(&Url::parse(url).unwrap());
        found.map_or("-".to_owned(), |proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn each_protocol_has_its_proxy() {
        let (proxies, faults) = read(&[("HTTPS_PROXY", "http://a.example:3128/"), ("http_proxy", "b.example")]);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(of(&proxies, "https://hooks.example/"), "a.example:3128");
        assert_eq!(of(&proxies, "http://hooks.example/"), "b.example:80");
        let (proxies, _) = read(&[("all_proxy", "[::1]:1"), ("HTTP_PROXY", "c:2"), ("http_proxy", "d:3")]);
        assert_eq!(of(&proxies, "https://hooks.example/"), "[::1]:1");
        assert_eq!(of(&proxies, "http://hooks.example/"), "d:3");
        assert_eq!(of(&read(&[("HTTPS_PROXY", "")]).0, "https://hooks.example/"), "-");
    }

    #[test]
    fn some_hosts_are_reached_without_a_proxy() {
        let except = "intra.example, .corp.example,*.lab.example,10.0.0.0/8,[2001:db8::1]";
        let (proxies, _) = read(&[("ALL_PROXY", "p:1"), ("NO_PROXY", except)]);
        for host in [
            "intra.example",
            "a.intra.example",
            "corp.example",
            "a.b.corp.example",
            "a.lab.example",
            "10.1.2.3",
            "[2001:db8::1]",
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(of(&proxies, &format!("https://{host}/")), "-", "{host}");
        }
        for host in ["example", "xintra.example", "intra.example.org", "11.0.0.1", "[2001:db8::2]"] {
            assert_eq!(of(&proxies, &format!("https://{host}/")), "p:1", "{host}");
        }
        assert_eq!(of(&read(&[("ALL_PROXY", "p:1"), ("no_proxy", "*")]).0, "https://a.example/"), "-");
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        let (proxies, _) = read(&[("https_proxy", "http://ada:p%40ss%3a@p.example:1")]);
        let proxy = proxies.of(&Url::parse("https://a/").unwrap()).unwrap();
        assert_eq!(proxy.credentials.as_ref().unwrap().expose(), "ada:p@ss:");
        assert!(!format!("{proxies:?}").contains("ss"), "{proxies:?}");
    }

    #[test]
    fn other_proxies_are_refused() {
        for value in
            ["socks5://ada:secret@p:1", "https://ada:secret@p:1", "ada:secret@p:x", "ada:secret@a_b", "http://"]
        {
            let (_, faults) = read(&[("HTTPS_PROXY", value)]);
            assert!(faults.len() == 1 && faults[0].starts_with("environment variable HTTPS_PROXY: "), "{faults:?}");
            assert!(!faults[0].contains("secret"), "{faults:?}");
        }
    }
}
