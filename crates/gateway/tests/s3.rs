//! S3 over the wire: the calls pods make, AWS's errors, and who may do what.

mod client;

use client::{Answer, Ask, World};
use emu_core::Event;

impl World {
    async fn put(&self, target: &str, body: &[u8]) -> Answer {
        let answer = self.ask(Ask::s3("PUT", target).body(body)).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask(Ask::s3("GET", target)).await
    }
}

#[tokio::test]
async fn an_object_goes_in_and_comes_out() {
    let world = World::new();
    assert_eq!(
        world.put("/bucket", b"").await.headers["location"],
        "/bucket"
    );
    let ask = Ask::s3("PUT", "/bucket/a%20key/%C3%A9")
        .body(b"hello")
        .header("content-type", "text/plain")
        .header("x-amz-meta-color", "blue");
    let put = world.ask(ask).await;
    assert_eq!(put.headers["etag"], "\"5d41402abc4b2a76b9719d911017c592\"");
    assert!(put.headers.contains_key("x-amz-checksum-crc64nvme"));
    let get = world.get("/bucket/a%20key/%C3%A9").await;
    assert_eq!((get.status.as_u16(), get.text()), (200, "hello"));
    assert_eq!(get.headers["content-type"], "text/plain");
    assert_eq!(get.headers["x-amz-meta-color"], "blue");
    assert_eq!(get.headers["accept-ranges"], "bytes");
    let part = world
        .ask(Ask::s3("GET", "/bucket/a%20key/%C3%A9").header("range", "bytes=1-3"))
        .await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "ell"));
    assert_eq!(part.headers["content-range"], "bytes 1-3/5");
    let over = world
        .ask(Ask::s3("GET", "/bucket/a%20key/%C3%A9").header("range", "bytes=9-"))
        .await;
    assert_eq!(
        (over.status.as_u16(), over.element("Code").unwrap()),
        (416, "InvalidRange".into())
    );
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let same = world
        .ask(Ask::s3("GET", "/bucket/a%20key/%C3%A9").header("if-none-match", etag))
        .await;
    assert_eq!((same.status.as_u16(), same.body.len()), (304, 0));
    assert_eq!(same.headers["etag"], etag);
    let other = world
        .ask(Ask::s3("GET", "/bucket/a%20key/%C3%A9").header("if-match", "\"0\""))
        .await;
    assert_eq!(other.element("Code").as_deref(), Some("PreconditionFailed"));
    let once = world
        .ask(Ask::s3("PUT", "/bucket/a%20key/%C3%A9").header("if-none-match", "*"))
        .await;
    assert_eq!(once.status, 412);
    let head = world.ask(Ask::s3("HEAD", "/bucket/a%20key/%C3%A9")).await;
    assert_eq!(
        (
            head.status.as_u16(),
            head.headers["content-length"].to_str().unwrap()
        ),
        (200, "5")
    );
    let missing = world.ask(Ask::s3("HEAD", "/bucket/none")).await;
    assert_eq!((missing.status.as_u16(), missing.body.len()), (404, 0));
    for _ in 0..2 {
        assert_eq!(
            world
                .ask(Ask::s3("DELETE", "/bucket/a%20key/%C3%A9"))
                .await
                .status,
            204
        );
    }
    let gone = world.get("/bucket/a%20key/%C3%A9").await;
    assert_eq!(gone.element("Code").as_deref(), Some("NoSuchKey"));
    assert_eq!(gone.element("Key").as_deref(), Some("a key/é"));
    assert_eq!(world.ask(Ask::s3("DELETE", "/bucket")).await.status, 204);
    assert_eq!(
        world.get("/bucket").await.element("BucketName").as_deref(),
        Some("bucket")
    );
}

#[tokio::test]
async fn listing_folds_and_pages() {
    let world = World::new();
    world.put("/bucket", b"").await;
    for key in ["a", "b/1", "b/2", "c d"] {
        world
            .put(&format!("/bucket/{}", key.replace(' ', "%20")), b"x")
            .await;
    }
    let first = world
        .get("/bucket?list-type=2&delimiter=%2F&max-keys=2")
        .await;
    assert_eq!(
        first.element("KeyCount").as_deref(),
        Some("2"),
        "{}",
        first.text()
    );
    assert_eq!(first.element("IsTruncated").as_deref(), Some("true"));
    assert!(
        first
            .text()
            .contains("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"),
        "{}",
        first.text()
    );
    let token = first
        .element("NextContinuationToken")
        .unwrap()
        .replace('=', "%3D");
    let second = world
        .get(&format!(
            "/bucket?list-type=2&delimiter=%2F&continuation-token={token}&encoding-type=url"
        ))
        .await;
    assert_eq!(second.element("Key").as_deref(), Some("c%20d"));
    assert_eq!(second.element("IsTruncated").as_deref(), Some("false"));
    let wrong = world.get("/bucket?list-type=2&continuation-token=!").await;
    assert_eq!(
        wrong.element("Message").as_deref(),
        Some("The continuation token provided is incorrect")
    );
    let old = world.get("/bucket?prefix=b/&marker=b/1").await;
    assert_eq!(old.element("Key").as_deref(), Some("b/2"));
    let body = b"<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>";
    let deleted = world
        .ask(Ask::s3("POST", "/bucket?delete").body(body))
        .await;
    assert_eq!(
        deleted.text().matches("<Deleted>").count(),
        2,
        "{}",
        deleted.text()
    );
    let buckets = world.get("/").await;
    assert!(buckets.text().contains("<Name>bucket</Name>"));
    let not_empty = world.ask(Ask::s3("DELETE", "/bucket")).await;
    assert_eq!(not_empty.element("Code").as_deref(), Some("BucketNotEmpty"));
}

#[tokio::test]
async fn a_multipart_upload_of_twenty_megabytes() {
    let world = World::new();
    world.put("/bucket", b"").await;
    let created = world
        .ask(Ask::s3("POST", "/bucket/big?uploads").header("x-amz-checksum-algorithm", "CRC32"))
        .await;
    let id = created.element("UploadId").unwrap();
    let part: Vec<u8> = (0..7 << 20).map(|i| (i % 251) as u8).collect();
    let mut listed = String::new();
    for number in 1..=3 {
        let target = format!("/bucket/big?partNumber={number}&uploadId={id}");
        let etag = world.put(&target, &part).await.headers["etag"]
            .to_str()
            .unwrap()
            .to_owned();
        listed.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        ));
    }
    let target = format!("/bucket/big?uploadId={id}");
    let wrong = listed.replace("<PartNumber>3", "<PartNumber>4");
    let body = format!("<CompleteMultipartUpload>{wrong}</CompleteMultipartUpload>");
    let refused = world
        .ask(Ask::s3("POST", &target).body(body.as_bytes()))
        .await;
    assert_eq!(refused.element("Code").as_deref(), Some("InvalidPart"));
    let body = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
    let done = world
        .ask(Ask::s3("POST", &target).body(body.as_bytes()))
        .await;
    assert!(
        done.element("ETag").unwrap().ends_with("-3&quot;")
            || done.element("ETag").unwrap().ends_with("-3\""),
        "{}",
        done.text()
    );
    assert!(done.element("ChecksumCRC32").unwrap().ends_with("-3"));
    let tail = world
        .ask(Ask::s3("GET", "/bucket/big").header("range", "bytes=-1"))
        .await;
    assert_eq!(
        tail.headers["content-range"],
        format!("bytes {}-{}/{}", (21 << 20) - 1, (21 << 20) - 1, 21 << 20)
    );
    let again = world
        .ask(Ask::s3("POST", &target).body(body.as_bytes()))
        .await;
    assert_eq!(again.element("Code").as_deref(), Some("NoSuchUpload"));
}

#[tokio::test]
async fn contents_are_verified() {
    let world = World::new();
    world.put("/bucket", b"").await;
    let ask = |name, value: &str| {
        Ask::s3("PUT", "/bucket/k")
            .body(b"hello")
            .header(name, value.to_owned())
    };
    for (name, value, code) in [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==", None),
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", Some("BadDigest")),
        ("content-md5", "nonsense", Some("InvalidDigest")),
        ("x-amz-checksum-crc32", "NhCmhg==", None),
        ("x-amz-checksum-crc32", "AAAAAA==", Some("BadDigest")),
        ("x-amz-checksum-crc32", "zz", Some("InvalidRequest")),
    ] {
        let answer = world.ask(ask(name, value)).await;
        assert_eq!(answer.element("Code").as_deref(), code, "{name}: {value}");
    }
    let mut changed = Ask::s3("PUT", "/bucket/k")
        .body(b"hello")
        .sign(&world.cloud, world.addr);
    *changed.body_mut() = "other".into();
    let answer = world.send(changed).await.unwrap();
    assert_eq!(
        answer.element("Code").as_deref(),
        Some("XAmzContentSHA256Mismatch")
    );
    let chunked = Ask::s3("PUT", "/bucket/k")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32");
    let mut chunked = chunked.streaming().sign(&world.cloud, world.addr);
    *chunked.body_mut() = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".into();
    let answer = world.send(chunked).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let get = world.get("/bucket/k").await;
    assert_eq!(get.text(), "hello");
    assert!(!get.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn presigned_and_anonymous() {
    let world = World::new();
    world.put("/bucket", b"").await;
    world.put("/bucket/k", b"hello").await;
    let presigned = |late| {
        let mut ask = Ask::s3("GET", "/bucket/k");
        (ask.presigned, ask.late) = (true, late);
        ask
    };
    assert_eq!(world.ask(presigned(0)).await.text(), "hello");
    let over = world.ask(presigned(100)).await;
    assert_eq!(
        over.element("Message").as_deref(),
        Some("Request has expired")
    );
    assert_eq!(over.element("X-Amz-Expires").as_deref(), Some("60"));
    let old = world
        .plain(
            "GET",
            "/bucket/k?AWSAccessKeyId=test&Signature=x&Expires=9999999999",
            "",
        )
        .await;
    assert!(
        old.element("Message")
            .unwrap()
            .ends_with("Please use AWS4-HMAC-SHA256.")
    );
    let anonymous = world.plain("GET", "/bucket/k", "").await;
    assert_eq!(
        (
            anonymous.status.as_u16(),
            anonymous.element("Code").unwrap()
        ),
        (403, "AccessDenied".into())
    );
    let policy = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
    let put = world
        .ask(Ask::s3("PUT", "/bucket?policy").body(policy))
        .await;
    assert_eq!(put.status, 204, "{}", put.text());
    assert_eq!(world.plain("GET", "/bucket/k", "").await.text(), "hello");
    // Who may not list is not told that a key is missing.
    let missing = world.plain("GET", "/bucket/none", "").await;
    assert_eq!(missing.status, 403);
    assert_eq!(world.get("/bucket?policy").await.body, policy.as_slice());
    let foreign = String::from_utf8_lossy(policy).replace(":::bucket/", ":::other/");
    let refused = world
        .ask(Ask::s3("PUT", "/bucket?policy").body(foreign.as_bytes()))
        .await;
    assert_eq!(
        refused.element("Message").as_deref(),
        Some("Policy has invalid resource")
    );
    assert_eq!(
        world.ask(Ask::s3("DELETE", "/bucket?policy")).await.status,
        204
    );
    assert_eq!(
        world.get("/bucket?policy").await.element("Code").as_deref(),
        Some("NoSuchBucketPolicy")
    );
}

#[tokio::test]
async fn regions_names_and_hosts() {
    let world = World::new();
    let unspecified = world
        .ask(Ask {
            region: "eu-west-1",
            ..Ask::s3("PUT", "/bucket")
        })
        .await;
    assert_eq!(
        unspecified.element("Code").as_deref(),
        Some("IllegalLocationConstraintException")
    );
    let body = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let made = world
        .ask(Ask {
            region: "eu-west-1",
            ..Ask::s3("PUT", "/bucket").body(body)
        })
        .await;
    assert_eq!(made.headers["location"], "http://bucket.s3.amazonaws.com/");
    let elsewhere = world.get("/bucket").await;
    assert_eq!(
        (
            elsewhere.status.as_u16(),
            elsewhere.element("Code").unwrap()
        ),
        (301, "PermanentRedirect".into())
    );
    assert_eq!(elsewhere.headers["x-amz-bucket-region"], "eu-west-1");
    let location = world.get("/bucket?location").await;
    assert!(
        location.text().contains(">eu-west-1</LocationConstraint>"),
        "{}",
        location.text()
    );
    let again = world
        .ask(Ask {
            region: "eu-west-1",
            ..Ask::s3("PUT", "/bucket").body(body)
        })
        .await;
    assert_eq!(
        again.element("Code").as_deref(),
        Some("BucketAlreadyOwnedByYou")
    );
    let name = world.ask(Ask::s3("PUT", "/Not_A_Bucket")).await;
    assert_eq!(name.element("Code").as_deref(), Some("InvalidBucketName"));

    world.put("/home", b"").await;
    world.put("/home/k", b"hello").await;
    let virtual_host = world
        .ask(Ask::s3("GET", "/k").header("host", "home.localhost:4566"))
        .await;
    assert_eq!(
        (virtual_host.status.as_u16(), virtual_host.text()),
        (200, "hello")
    );
    for (target, code) in [
        ("/home?tagging", "NoSuchTagSet"),
        ("/home?cors", "NoSuchCORSConfiguration"),
        ("/home?lifecycle", "NoSuchLifecycleConfiguration"),
        ("/home?website", "NoSuchWebsiteConfiguration"),
    ] {
        let answer = world.get(target).await;
        assert_eq!(
            (answer.status.as_u16(), answer.element("Code").as_deref()),
            (404, Some(code)),
            "{target}"
        );
    }
    for target in [
        "/home?acl",
        "/home?encryption",
        "/home?versioning",
        "/home?publicAccessBlock",
        "/home?ownershipControls",
    ] {
        assert_eq!(world.get(target).await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn the_journal_knows_action_resource_and_verdict() {
    let world = World::new();
    world.put("/bucket", b"").await;
    world.get("/bucket/none").await;
    let entries = world.cloud.journal().since(0);
    let Some(Event::ApiCall {
        action,
        resource,
        status,
        error,
        ..
    }) = entries.last().map(|e| &e.event)
    else {
        panic!("no call was recorded");
    };
    assert_eq!(
        (action.as_str(), resource.as_str(), *status),
        ("s3:GetObject", "arn:aws:s3:::bucket/none", 404)
    );
    assert_eq!(error.as_ref().unwrap().code, "NoSuchKey");
    let verdicts = entries
        .iter()
        .filter(|e| {
            matches!(
                &e.event,
                Event::ApiCall {
                    verdict: Some(_),
                    ..
                }
            )
        })
        .count();
    assert_eq!(verdicts, 2);
}
