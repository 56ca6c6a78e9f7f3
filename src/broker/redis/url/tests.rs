use proptest::prelude::*;

use super::*;

fn shown(url: &str) -> String {
    BrokerUrl::parse(url).expect("a URL of Celery's").to_string()
}

#[test]
fn what_is_left_out_is_what_celery_takes_it_for() {
    assert_eq!(shown("redis://"), "redis://127.0.0.1:6379/0");
    assert_eq!(shown("redis://localhost"), "redis://localhost:6379/0");
    assert_eq!(shown("redis://localhost/"), "redis://localhost:6379/0");
    assert_eq!(shown("redis://:secret@/3"), "redis://:***@127.0.0.1:6379/3");
    assert_eq!(shown("redis://secret@host"), "redis://***@host:6379/0");
    assert_eq!(shown("redis://[::1]:7000//2"), "redis://[::1]:7000/2");
    assert_eq!(shown("redis://host?db=4"), "redis://host:6379/4");
    assert_eq!(shown("sentinel://a"), "sentinel://a:26379/0");
}

#[test]
fn users_and_passwords_are_decoded() {
    let url = BrokerUrl::parse("redis://w%40rker:p%2F%3A%40ss@host").expect("valid");
    assert_eq!(url.login.user.as_deref(), Some("w@rker"));
    assert_eq!(url.login.password.as_deref(), Some("p/:@ss"));
    assert_eq!(url.to_string(), "redis://w%40rker:***@host:6379/0");
    let url = BrokerUrl::parse("redis://:only%20password@host").expect("valid");
    assert_eq!((url.login.user, url.login.password.as_deref()), (None, Some("only password")));
}

#[test]
fn a_socket_has_its_database_in_a_parameter() {
    let url = BrokerUrl::parse("redis+socket:///run/redis%20one.sock?virtual_host=1").expect("valid");
    assert!(url.address == Address::Unix("/run/redis one.sock".into()));
    assert_eq!(url.name(), "/run/redis one.sock/1");
    assert_eq!(
        shown("unix://:pw@/run/redis.sock?db=2"),
        "redis+socket://:***@/run/redis.sock?virtual_host=2"
    );
    assert_eq!(BrokerUrl::parse("redis+socket://run/redis.sock"), Err(UrlError::Socket));
}

#[test]
fn ssl_parameters_are_those_of_redis_py() {
    let tls = |url: &str| BrokerUrl::parse(url).expect("valid").tls;
    assert!(tls("redis://host").is_none());
    assert!(tls("rediss://host").is_some_and(|tls| tls.check == PeerCheck::Full));
    for value in ["none", "CERT_NONE"] {
        let tls = tls(&format!("redis://host?ssl_cert_reqs={value}"));
        assert!(tls.is_some_and(|tls| tls.check == PeerCheck::Nothing));
    }
    let checked = tls("rediss://h?ssl_cert_reqs=required&ssl_check_hostname=False&ssl_ca_certs=%2Fca.pem");
    assert!(
        checked.is_some_and(|tls| tls.check == PeerCheck::Chain && tls.authorities == Some("/ca.pem".into()))
    );
    let parse = |query: &str| BrokerUrl::parse(&format!("rediss://h?{query}"));
    assert_eq!(parse("ssl_cert_reqs=perhaps"), Err(UrlError::Parameter("ssl_cert_reqs")));
    assert_eq!(parse("ssl_certfile=c.pem"), Err(UrlError::HalfOfAPair));
}

#[test]
fn sentinels_are_listed_and_the_first_says_the_rest() {
    let text = "sentinel://u:pw@a:1/2;sentinel://b;sentinel://c:3/9";
    let url = BrokerUrl::parse(text)
        .expect("valid")
        .with_sentinel_master("mymaster")
        .with_sentinel_password("deep");
    assert_eq!(url.to_string(), "sentinel://u:***@a:1/2;sentinel://b:26379;sentinel://c:3");
    assert_eq!(url.name(), "mymaster@a:1,b:26379,c:3/2");
    assert!(!format!("{url:?}").contains("deep"));
}

#[test]
fn what_is_no_redis_says_so() {
    assert_eq!(BrokerUrl::parse("localhost:6379"), Err(UrlError::NoScheme));
    assert_eq!(BrokerUrl::parse(""), Err(UrlError::NoScheme));
    assert_eq!(BrokerUrl::parse("amqp://guest@host//"), Err(UrlError::NotRedis("amqp".to_owned())));
    assert_eq!(BrokerUrl::parse("redis://a;redis://b"), Err(UrlError::Several));
    assert_eq!(BrokerUrl::parse("redis://host/first"), Err(UrlError::Database));
    assert_eq!(BrokerUrl::parse("redis://host:99999"), Err(UrlError::Authority));
}

proptest! {
    #[test]
    fn a_password_is_never_shown(password in "[A-Z]{12}[/:@#?;]?[A-Z]{12}", scheme in 0..4usize) {
        let scheme = ["redis", "rediss", "unix", "sentinel"][scheme];
        let url = format!("{scheme}://user:{password}@/0");
        let shown = match BrokerUrl::parse(&url) {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        for half in password.split(|letter: char| !letter.is_ascii_uppercase()) {
            prop_assert!(!shown.to_ascii_uppercase().contains(half), "{}", shown);
        }
    }

    #[test]
    fn no_text_panics(text in "(redis|sentinel|unix)://[\\PC]{0,60}") {
        let _ = BrokerUrl::parse(&text).map(|url| (url.to_string(), url.name()));
    }
}
