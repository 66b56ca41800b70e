//! How a cookie can be set up.

/// Leaves room for other headers in a response head of 4 KiB.
const DEFAULT_BYTES: usize = 3584;

/// How many opened tokens are cached, unless it is set, and at the most.
const CACHED_TOKENS: usize = 1 << 10;
pub(super) const MOST_CACHED_TOKENS: usize = 1 << 16;

/// The end of the activity cookie's name, after the data cookie's name.
pub(super) const ACTIVITY: &str = ".seen";

/// How the session cookie is named and scoped.
///
/// The defaults are the strictest that work for most applications: `__Host-session`, `Path=/`,
/// `Secure`, `HttpOnly`, `SameSite=Lax`, no `Domain` (OWASP ASVS 5.0, 3.3.1 to 3.3.4).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CookieSettings {
    /// The cookie's name. `__Host-` and `__Secure-` promise attributes that must then be set.
    /// A name ends neither in a full stop and a digit nor in `.seen`: the parts of a large session and the
    /// activity cookie have such names. Default: `__Host-session`.
    pub name: String,
    /// Below which path the browser sends it. Default: `/`.
    pub path: String,
    /// To which domain and its subdomains the browser sends it. Default: none, the host alone.
    ///
    /// What browsers refuse is an error: a single label such as `localhost`, an address, whatever is no
    /// host name. They also refuse public suffixes of two labels, such as `co.uk` or `github.io`, which
    /// cannot be told without their list: name a domain that is yours.
    pub domain: Option<String>,
    /// Whether the browser sends it over https only. Default: yes.
    pub secure: bool,
    /// Whether other sites' requests carry it. Default: [`SameSite::Lax`].
    pub same_site: SameSite,
    /// Whether an embedded page has a cookie jar for each site that embeds it (CHIPS). Needs
    /// [`SameSite::None`], without which an embedded page has no cookie at all. Default: no.
    pub partitioned: bool,
    /// How many bytes one rendered Set-Cookie may have, attributes included: 512 to
    /// [`MAX_COOKIE`](crate::adapter::MAX_COOKIE), the most that browsers take. Default: 3,584. With that, and half a
    /// kilobyte of other headers, a response fits into the 4 KiB that nginx has for its head (`proxy_buffer_size`).
    pub max_bytes: usize,
    /// Over how many cookies a large session may be spread, 1 to 8. Each has `max_bytes` at most; many
    /// proxies refuse more than 8 KiB of headers. Default: 1.
    pub max_chunks: u8,
    /// Whether every session outlives the browser, and not only those whose login asked to be remembered.
    /// The cookie then has a Max-Age, the time to the session's absolute end. The limits stay those of the
    /// session's class. Default: no.
    pub persistent: bool,
    /// Cookies of earlier settings. Sessions are still read from them, moved to the cookie above with their
    /// next write, and removed with the attributes given here. Default: none.
    ///
    /// One that differs from the cookie above in domain or path alone is removed with every write, because a
    /// request does not tell which of the two it carries: take it out when the longest lifetime has passed.
    /// So too where the earlier name has no `__Host-` and this one does: a sibling domain can set a cookie of the
    /// earlier name, with a session of its own.
    pub previous: Vec<PreviousCookie>,
    /// What the browser forgets of this site besides the cookie when it logs out (OWASP ASVS 5.0, 14.3.1): the header
    /// Clear-Site-Data, with the answer to a request that carried a cookie of ours and called `logout`, `logout_all`,
    /// `logout_everyone` or `purge`, whatever session it begins afterwards, and with no other. Browsers take it over https only. A session that ends without its browser, at a limit
    /// or by somebody else, clears nothing. Default: nothing.
    pub clear_site_data: Vec<SiteData>,
    /// How many opened tokens a node caches, rounded up to a power of two, at most 65,536: a browser sends the same token
    /// again and again, and to compare it takes less than to decrypt it. Whether its session counts is judged on each
    /// request in any case. A token stays for two minutes at most after it last came. For each name of a cookie the cache
    /// takes about 2 MiB at most, and 64 bytes for each of so many slots. `0`: none is cached, so that no opened session
    /// stays in memory beyond its request. Default: 1,024.
    pub cached_tokens: usize,
}

/// What a browser can be told to forget of a site (W3C, Clear Site Data). Browsers ignore what they do not know; some
/// take seconds for the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SiteData {
    /// What was loaded from this origin.
    Cache,
    /// All cookies of the registrable domain, with those of other applications there. A session that another tab
    /// begins meanwhile goes with them.
    Cookies,
    /// Local and session storage, databases and service workers of this origin.
    Storage,
    /// Open pages of this origin are loaded anew.
    ExecutionContexts,
    /// Which hints about itself the browser has agreed to send.
    ClientHints,
    /// Pages that were loaded ahead.
    PrefetchCache,
    /// Pages that were rendered ahead.
    PrerenderCache,
    /// All of these, and whatever a later browser adds: the cookies too, of other applications as well.
    #[serde(rename = "*")]
    Everything,
}

impl SiteData {
    /// As the header names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Cookies => "cookies",
            Self::Storage => "storage",
            Self::ExecutionContexts => "executionContexts",
            Self::ClientHints => "clientHints",
            Self::PrefetchCache => "prefetchCache",
            Self::PrerenderCache => "prerenderCache",
            Self::Everything => "*",
        }
    }
}

/// A cookie that sessions were kept in before, by all that a browser tells cookies apart by (RFC 6265bis, section 5.7).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PreviousCookie {
    /// Its name.
    pub name: String,
    /// Its domain. Default: none, the host alone.
    #[serde(default)]
    pub domain: Option<String>,
    /// Its path. Default: `/`.
    #[serde(default = "root")]
    pub path: String,
}

impl PreviousCookie {
    /// A cookie of this name, of the host alone and for all paths.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            domain: None,
            path: root(),
        }
    }
}

fn root() -> String {
    "/".to_owned()
}

/// Which requests from other sites carry the cookie (RFC 6265bis, section 5.5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// None, not even following a link.
    Strict,
    /// Only following a link: not those of a form that another site posts, such as a login that
    /// [comes back so](crate::operations#logins-that-come-back-by-a-form).
    Lax,
    /// All. Needs [`CookieSettings::secure`].
    None,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            name: "__Host-session".into(),
            path: "/".into(),
            domain: None,
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            max_bytes: DEFAULT_BYTES,
            max_chunks: 1,
            persistent: false,
            previous: Vec::new(),
            clear_site_data: Vec::new(),
            cached_tokens: CACHED_TOKENS,
        }
    }
}

impl CookieSettings {
    /// For development over plain http: named `session` and not `Secure`. Anyone on the network path
    /// can take such a cookie.
    pub fn plain_http() -> Self {
        Self {
            name: "session".into(),
            secure: false,
            ..Self::default()
        }
    }
}
