use super::*;

#[test]
fn bundles_are_taken_apart_and_put_together() {
    let ca = || issue(&["a".to_owned()], 0, 10_000_000_000).expect("issued").ca;
    let (one, other) = (ca(), ca());
    let bundle = format!("# a comment\n{one}-----BEGIN CERTIFICATE-----\nx\n");
    let found = certificates(format!("{one}{other}").as_bytes());
    assert_eq!(found.len(), 2);
    let plain = |text: &str| text.replace("\r\n", "\n");
    assert_eq!(found[0], plain(&one));
    assert_eq!(certificates(found.concat().as_bytes()), found);
    assert_eq!(certificates(bundle.as_bytes()).len(), 1);
    assert!(certificates(b"nothing").is_empty());
}
