use super::*;

/// Host and port of each, as they are dialled.
fn dialled<'a>(infos: impl IntoIterator<Item = &'a ConnectionInfo>) -> Vec<String> {
    infos.into_iter().map(|info| info.addr().to_string()).collect()
}

#[test]
fn one_server() {
    let Ok(Address::Server(info)) = Address::parse("redis://me:s3cret%2F@redis.example:6380/3") else { panic!() };
    assert_eq!(dialled([&info]), ["redis.example:6380"]);
    let login = info.redis_settings();
    assert_eq!((login.username(), login.password(), login.db()), (Some("me"), Some("s3cret/"), 3));

    for (url, address, tls) in [
        ("redis://localhost", "localhost:6379", false),
        ("rediss://localhost:6390/", "localhost:6390", true),
        ("valkey://[::1]:7000/1", "::1:7000", false),
        ("redis+unix:///run/redis.sock?db=2", "/run/redis.sock", false),
    ] {
        let parsed = Address::parse(url).unwrap();
        assert_eq!(parsed.is_tls(), tls, "{url}");
        let Address::Server(info) = parsed else { panic!("{url}") };
        assert_eq!(dialled([&info]), [address], "{url}");
    }
}

#[test]
fn sentinels() {
    let url =
        "rediss+sentinel://me:pass@a.example,[::1]:1234,c/my%20master/5?sentinel_username=s&sentinel_password=p%26";
    let parsed = Address::parse(url).unwrap();
    assert!(parsed.is_tls());
    let Address::Sentinel { sentinels, master, login } = parsed else { panic!() };
    assert_eq!(dialled(&sentinels), ["a.example:26379", "::1:1234", "c:26379"]);
    assert_eq!(master, "my master");
    assert_eq!((login.username(), login.password(), login.db()), (Some("me"), Some("pass"), 5));
    for sentinel in &sentinels {
        let login = sentinel.redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("s"), Some("p&"), 0));
    }

    let Ok(Address::Sentinel { sentinels, .. }) = Address::parse("redis+sentinel://:pass@a/mymaster") else { panic!() };
    assert_eq!(sentinels[0].redis_settings().password(), None, "the password of Redis is not for the sentinels");
}

#[test]
fn a_cluster() {
    let parsed = Address::parse("redis+cluster://:pass@a:7000,b/").unwrap();
    assert!(!parsed.is_tls());
    let Address::Cluster(nodes) = parsed else { panic!() };
    assert_eq!(dialled(&nodes), ["a:7000", "b:6379"]);
    assert!(nodes.iter().all(|node| node.redis_settings().password() == Some("pass")));
    assert!(Address::parse("rediss+cluster://a").unwrap().is_tls());
}

#[test]
fn a_bad_url_is_told_what_to_write() {
    for (url, advice) in [
        ("", "redis+cluster://"),
        ("localhost:6379", "redis://"),
        ("http://localhost", "redis://"),
        ("redis-sentinel://localhost/mymaster", "redis+sentinel://"),
        ("redis://", "redis://host:6379"),
        ("redis://:secret@", "redis://host:6379"),
        ("redis://:6379", "redis://host:6379"),
        ("redis://a:1,b:2", "redis+sentinel://"),
        ("redis://a/mymaster", "number of a database"),
        ("redis://a:port", "cannot be read"),
        ("redis://:sec/ret@a", "percent-encoded"),
        ("rediss://a/#insecure", "--redis-ca"),
        ("redis+sentinel://a,b", "MASTER"),
        ("redis+sentinel://a,/m", "redis+sentinel://host"),
        ("redis+sentinel://a/m/n", "number of a database"),
        ("redis+sentinel://a/m?password=secret", "sentinel_password"),
        ("redis+cluster://", "redis+cluster://host"),
        ("redis+cluster://a/1", "no databases"),
    ] {
        let Err(error) = Address::parse(url) else { panic!("{url} was taken") };
        let text = anyhow::Error::new(error).chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        assert!(text.contains(advice), "{url}: {text}");
        assert!(!text.contains("secret") && !text.contains("sec/"), "{text}");
    }
}
