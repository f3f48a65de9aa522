//! Client address of a request: the socket's peer address, or the address forwarded by a trusted proxy.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Client IP address of a request, and a flag that is true if the client uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr {
    /// Client IP address. IPv4-mapped IPv6 addresses are converted to IPv4.
    pub ip: IpAddr,
    /// True if the client connected over TLS, either to this server or to a trusted proxy.
    pub tls: bool,
}

impl ClientAddr {
    pub(crate) fn resolve(socket: ClientAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        if !trusted.contains(socket.ip) {
            return socket;
        }
        let tls = header_list_elements_in_reverse(headers, &FORWARDED_PROTO_HEADER)
            .next()
            .map_or(socket.tls, |scheme| scheme.eq_ignore_ascii_case("https"));
        Self { ip: find_forwarded_client_address(socket.ip, headers, trusted), tls }
    }
}

/// Returns the scheme and host of the URL that the client used, such as `https://clew.example.com`.
///
/// The client can forge the `Host` header, so use the URL only in the response to the same request.
#[must_use]
pub fn base_url_from_request(connection: Option<&ClientAddr>, headers: &HeaderMap) -> String {
    let scheme = if connection.is_some_and(|connection| connection.tls) { "https" } else { "http" };
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

const FORWARDED_FOR_HEADER: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO_HEADER: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Each proxy appends the address of its client to `X-Forwarded-For`, so a client can forge the earlier addresses.
fn find_forwarded_client_address(socket: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut hop = socket;
    for text in header_list_elements_in_reverse(headers, &FORWARDED_FOR_HEADER) {
        let Some(address) = parse_ip_address(text) else { return hop };
        hop = address;
        if !trusted.contains(hop) {
            break;
        }
    }
    hop
}

/// Yields `?` for each header line that contains characters other than visible ASCII.
fn header_list_elements_in_reverse<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    lines.into_iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim)
}

/// Accepts an address with a port, because some proxies append the port.
fn parse_ip_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Networks of the proxies whose forwarding headers are trusted; empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Parses networks, such as `10.0.0.0/8`, and single addresses.
    /// The error is the first invalid network.
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

/// IPv4 address or /64 prefix of an IPv6 address. An IPv6 client can usually choose the last 64 bits of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientSubnet(IpAddr);

impl ClientSubnet {
    /// Returns the client's IPv4 address, or the first address of the client's IPv6 prefix.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for ClientSubnet {
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
    fn only_entries_of_trusted_proxies_are_used() {
        for (socket, lines, client) in [
            // The peer is not a trusted proxy.
            ("198.51.100.1", vec![], "198.51.100.1"),
            ("198.51.100.1", vec!["203.0.113.5"], "198.51.100.1"),
            ("192.0.2.8", vec!["203.0.113.5"], "192.0.2.8"),
            // One proxy, with and without forged entries of the client.
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
            // Malformed entries: the hop that appended them.
            ("10.0.0.1", vec!["203.0.113.5, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5, , 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5,"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.5", "\u{e9}"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.555"], "10.0.0.1"),
            // Address formats.
            ("::ffff:10.0.0.1", vec!["::ffff:203.0.113.5"], "203.0.113.5"),
            ("fd00::1", vec!["2001:db8::5"], "2001:db8::5"),
            ("fd00::1", vec!["[2001:db8::5]"], "2001:db8::5"),
            ("fd00::1", vec!["[2001:db8::5]:443"], "2001:db8::5"),
            ("10.0.0.1", vec!["203.0.113.5:443"], "203.0.113.5"),
        ] {
            let socket: IpAddr = socket.parse().unwrap();
            let socket = ClientAddr { ip: socket.to_canonical(), tls: PLAIN };
            let found = ClientAddr::resolve(socket, &headers(&FORWARDED_FOR_HEADER, &lines), &trusted());
            assert_eq!(found.ip, client.parse::<IpAddr>().unwrap(), "{socket:?} {lines:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_sets_the_scheme() {
        for (socket, tls, lines, is_tls) in [
            ("198.51.100.1", false, vec!["https"], false),
            ("198.51.100.1", true, vec!["http"], true),
            ("10.0.0.1", false, vec!["https"], true),
            ("10.0.0.1", true, vec!["http"], false),
            ("10.0.0.1", true, vec![], true),
            ("10.0.0.1", false, vec!["https", "http"], false),
            ("10.0.0.1", false, vec!["http, HTTPS"], true),
        ] {
            let socket = ClientAddr { ip: socket.parse().unwrap(), tls };
            let found = ClientAddr::resolve(socket, &headers(&FORWARDED_PROTO_HEADER, &lines), &trusted());
            assert_eq!(found, ClientAddr { tls: is_tls, ..socket }, "{lines:?}");
        }
    }

    #[test]
    fn invalid_network_is_returned_as_the_error() {
        for text in ["10.0.0.0/33", "proxy.example", "", "10.0.0.0/8/8"] {
            assert_eq!(TrustedProxies::parse(&["::1".into(), text.into()]).unwrap_err(), text);
        }
    }

    #[test]
    fn ipv6_clients_are_grouped_by_64_prefix() {
        let of = |text: &str| ClientSubnet::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
