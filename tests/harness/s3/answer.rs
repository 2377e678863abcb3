//! Answers to requests, by the fates that a script gives them.

use super::{BUCKET, Failure, Fault, Shared};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<s3s::Body>, Failure> {
    if request.uri().path().split('/').nth(1) != Some(BUCKET) {
        // The store would make the bucket, which no real one does.
        return refusal(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    match shared.note(&request) {
        Fault::None => shared.serve(request).await,
        Fault::Status(status) => refusal(StatusCode::from_u16(status)?, "Scripted"),
        Fault::Refuse(status, code) => {
            // An answer before that can be lost with the connection.
            collected(request, None).await?;
            refusal(StatusCode::from_u16(status)?, code)
        }
        Fault::Busy(seconds) => {
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")?;
            response.headers_mut().insert("retry-after", seconds.into());
            Ok(response)
        }
        Fault::Slow(rate) => {
            let (head, body) = collected(request, Some(rate)).await?;
            shared.serve_bytes(head, body).await
        }
        Fault::Corrupt => {
            let (head, mut body) = collected(request, None).await?;
            if let Some(byte) = body.first_mut() {
                *byte ^= 1;
            }
            shared.serve_bytes(head, body).await
        }
        Fault::Checksum(checksum) => with_checksum(shared.serve(request).await?, checksum).await,
        Fault::ResetInBody => {
            let mut body = request.into_body();
            // A first piece is taken, the rest is never read.
            let _ = body.frame().await;
            Err("reset in the middle by the script".into())
        }
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            shared.serve(request).await
        }
        Fault::Hang => std::future::pending().await,
        Fault::Reset => Err("reset by the script".into()),
        Fault::LostAnswer => {
            shared.serve(request).await?;
            Err("the answer is lost by the script".into())
        }
    }
}

/// A whole request; its body is read at `rate` bytes a second.
async fn collected(
    request: Request<Incoming>,
    rate: Option<u64>,
) -> Result<(hyper::http::request::Parts, Vec<u8>), Failure> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if let Some(rate) = rate {
            tokio::time::sleep(Duration::from_millis(data.len() as u64 * 1000 / rate)).await;
        }
        bytes.extend_from_slice(&data);
    }
    Ok((head, bytes))
}

/// The same answer with a checksum of what was stored: of an object or a part in a header, of
/// a completed upload in its text.
async fn with_checksum(
    response: Response<s3s::Body>,
    checksum: &'static str,
) -> Result<Response<s3s::Body>, Failure> {
    let (mut head, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    let end = "</CompleteMultipartUploadResult>";
    if text.contains(end) {
        let element = format!("<ChecksumCRC64NVME>{checksum}</ChecksumCRC64NVME>{end}");
        let text = text.replace(end, &element);
        head.headers.remove("content-length");
        return Ok(Response::from_parts(head, text.into()));
    }
    head.headers.insert("x-amz-checksum-crc64nvme", checksum.parse()?);
    Ok(Response::from_parts(head, text.into()))
}

fn refusal(status: StatusCode, code: &str) -> Result<Response<s3s::Body>, Failure> {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>refused</Message></Error>");
    Ok(Response::builder().status(status).header("content-type", "application/xml").body(text.into())?)
}
