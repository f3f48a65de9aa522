//! Who is at the other end of a connection: the peer itself, or whom a trusted proxy speaks for.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Where a request came from. Every request that was accepted by [`crate::serve()`] carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The client's address; an IPv4 address is never written as IPv6.
    pub peer: IpAddr,
    /// Whether the client speaks TLS, with Clew or with a trusted proxy.
    pub tls: bool,
}

impl Connection {
    /// What a request says of its client, as far as the other end of the socket is trusted to say it.
    pub(crate) fn of(socket: Connection, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        if !trusted.contains(socket.peer) {
            return socket;
        }
        let tls = last(headers, &FORWARDED_PROTO).map_or(socket.tls, |scheme| scheme.eq_ignore_ascii_case("https"));
        Self { peer: client(socket.peer, headers, trusted), tls }
    }
}

/// Where the client found this server: scheme and host, for links in answers. What a proxy says of the scheme counts if it is trusted;
/// the host is what the client itself asked for, and nobody else is shown the link.
pub(crate) fn reached_by(connection: Option<&Connection>, headers: &HeaderMap) -> String {
    let scheme = if connection.is_some_and(|connection| connection.tls) { "https" } else { "http" };
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Each proxy appends whom it was asked by, so the list is read from its end, and only as long as a trusted proxy wrote what is read:
/// anybody can put anything before that.
fn client(socket: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut hop = socket;
    for text in from_the_end(headers, &FORWARDED_FOR) {
        let Some(address) = address(text) else { return hop };
        hop = address;
        if !trusted.contains(hop) {
            break;
        }
    }
    hop
}

/// The elements of all lines of a header, the last one first. What is no text is an element that is no address.
fn from_the_end<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    lines.into_iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim)
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    from_the_end(headers, name).next()
}

/// An address, with or without a port: some proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Proxies that may say whom they speak for. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads networks such as `10.0.0.0/8`, and single addresses. Fails with the first text that is neither.
    pub fn parse(networks: &[String]) -> Result<Self, String> {
        let network = |text: &String| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse().or_else(|_| address()).map_err(|_| text.clone())
        };
        networks.iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Addresses that one client has at will: an IPv4 address, or the /64 of an IPv6 address, which is the least that anybody is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Neighbourhood(IpAddr);

impl std::fmt::Display for Neighbourhood {
    /// An IPv4 address, or the first address of a /64.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<IpAddr> for Neighbourhood {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            address @ IpAddr::V4(_) => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PLAIN: bool = false;

    fn trusted() -> TrustedProxies {
        TrustedProxies::parse(&["10.0.0.0/8".into(), "fd00::/8".into(), "192.0.2.7".into()]).unwrap()
    }

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        for (socket, lines, client) in [
            // Nobody vouches.
            ("198.51.100.1", vec![], "198.51.100.1"),
            ("198.51.100.1", vec!["203.0.113.5"], "198.51.100.1"),
            ("192.0.2.8", vec!["203.0.113.5"], "192.0.2.8"),
            // One proxy, alone or with what the client made up.
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5"], "203.0.113.5"),
            ("192.0.2.7", vec!["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", vec!["10.9.9.9,203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", vec!["127.0.0.1", "203.0.113.5"], "203.0.113.5"),
            // Several proxies.
            ("10.0.0.1", vec!["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
            ("10.0.0.1", vec!["203.0.113.5", "10.0.0.2 , 10.0.0.3"], "203.0.113.5"),
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
            // A client within the trusted network.
            ("10.0.0.1", vec!["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            // Garbage: the hop that wrote it.
            ("10.0.0.1", vec!["203.0.113.5, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5, , 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5,"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5", "\u{e9}"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.555"], "10.0.0.1"),
            // Forms of an address.
            ("::ffff:10.0.0.1", vec!["::ffff:203.0.113.5"], "203.0.113.5"),
            ("fd00::1", vec!["2001:db8::5"], "2001:db8::5"),
            ("fd00::1", vec!["[2001:db8::5]"], "2001:db8::5"),
            ("fd00::1", vec!["[2001:db8::5]:443"], "2001:db8::5"),
            ("10.0.0.1", vec!["203.0.113.5:443"], "203.0.113.5"),
        ] {
            let socket: IpAddr = socket.parse().unwrap();
            let socket = Connection { peer: socket.to_canonical(), tls: PLAIN };
            let found = Connection::of(socket, &headers(&FORWARDED_FOR, &lines), &trusted());
            assert_eq!(found.peer, client.parse::<IpAddr>().unwrap(), "{socket:?} {lines:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_whether_the_client_speaks_tls() {
        for (socket, tls, lines, said) in [
            ("198.51.100.1", false, vec!["https"], false),
            ("198.51.100.1", true, vec!["http"], true),
            ("10.0.0.1", false, vec!["https"], true),
            ("10.0.0.1", true, vec!["http"], false),
            ("10.0.0.1", true, vec![], true),
            ("10.0.0.1", false, vec!["https", "http"], false),
            ("10.0.0.1", false, vec!["http, HTTPS"], true),
        ] {
            let socket = Connection { peer: socket.parse().unwrap(), tls };
            let found = Connection::of(socket, &headers(&FORWARDED_PROTO, &lines), &trusted());
            assert_eq!(found, Connection { tls: said, ..socket }, "{lines:?}");
        }
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        for text in ["10.0.0.0/33", "proxy.example", "", "10.0.0.0/8/8"] {
            assert_eq!(TrustedProxies::parse(&["::1".into(), text.into()]).unwrap_err(), text);
        }
    }

    #[test]
    fn an_ipv6_client_counts_as_its_64() {
        let of = |text: &str| Neighbourhood::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
