//! The messages of OTLP that a trace is made of, in Protobuf and in JSON
//! (<https://opentelemetry.io/docs/specs/otlp/>).
//!
//! Fields that sidecar does not use are left out, which both encodings allow.

use prost::{Message, Oneof};
use serde::{Serialize, Serializer};
use std::fmt::Write;

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The spans of one resource.
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Response {
    /// There when not everything was accepted.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    /// The number of spans that the collector refused.
    #[prost(int64, tag = "1")]
    pub rejected_spans: i64,
}

/// `ResourceSpans`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans {
    /// The origin of the spans.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// The spans of one library.
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<ScopeSpans>,
}

/// `Resource`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Resource {
    /// Its attributes.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// `ScopeSpans`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ScopeSpans {
    /// The library.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    /// Its spans.
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Scope {
    /// The name of the library.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// `Span`. Times are nanoseconds since 1970.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    #[serde(serialize_with = "hex")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(serialize_with = "hex")]
    pub span_id: Vec<u8>,
    /// 8 bytes, or none for a root.
    #[prost(bytes = "vec", tag = "4")]
    #[serde(serialize_with = "hex", skip_serializing_if = "Vec::is_empty")]
    pub parent_span_id: Vec<u8>,
    /// Its name.
    #[prost(string, tag = "5")]
    pub name: String,
    /// [`KIND_INTERNAL`] or [`KIND_SERVER`].
    #[prost(int32, tag = "6")]
    pub kind: i32,
    /// Its begin.
    #[prost(fixed64, tag = "7")]
    #[serde(serialize_with = "decimal")]
    pub start_time_unix_nano: u64,
    /// Its end.
    #[prost(fixed64, tag = "8")]
    #[serde(serialize_with = "decimal")]
    pub end_time_unix_nano: u64,
    /// Its attributes.
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    /// Spans of other traces that belong to it.
    #[prost(message, repeated, tag = "13")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Its outcome, where there is one to tell.
    #[prost(message, optional, tag = "15")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// `SPAN_KIND_INTERNAL`.
pub const KIND_INTERNAL: i32 = 1;

/// `SPAN_KIND_SERVER`, which a run of a pipeline is by convention.
pub const KIND_SERVER: i32 = 2;

/// `Link`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    #[serde(serialize_with = "hex")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(serialize_with = "hex")]
    pub span_id: Vec<u8>,
}

/// `Status`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Status {
    /// One sentence.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// [`STATUS_OK`] or [`STATUS_ERROR`].
    #[prost(int32, tag = "3")]
    pub code: i32,
}

/// `STATUS_CODE_OK`.
pub const STATUS_OK: i32 = 1;

/// `STATUS_CODE_ERROR`.
pub const STATUS_ERROR: i32 = 2;

/// `KeyValue`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct KeyValue {
    /// The attribute's name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// `AnyValue`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct AnyValue {
    /// The value.
    #[prost(oneof = "Value", tags = "1, 3")]
    #[serde(flatten)]
    pub value: Option<Value>,
}

/// The values that sidecar uses.
#[derive(Clone, PartialEq, Eq, Oneof, Serialize)]
pub enum Value {
    /// A text.
    #[prost(string, tag = "1")]
    #[serde(rename = "stringValue")]
    Text(String),
    /// A number.
    #[prost(int64, tag = "3")]
    #[serde(rename = "intValue", serialize_with = "decimal")]
    Number(i64),
}

impl KeyValue {
    /// An attribute.
    pub fn new(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
    }
}

/// Ids are hexadecimal in OTLP's JSON, not base64 as in Protobuf's.
fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A `String` takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    serializer.serialize_str(&text)
}

/// Numbers of 64 bits are texts in Protobuf's JSON.
fn decimal<S: Serializer>(number: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn span() -> Span {
        Span {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            parent_span_id: Vec::new(),
            name: "RUN job".to_owned(),
            kind: KIND_SERVER,
            start_time_unix_nano: 1,
            end_time_unix_nano: u64::MAX,
            attributes: vec![
                KeyValue::new("a", Value::Text("x".to_owned())),
                KeyValue::new("n", Value::Number(-1)),
            ],
            links: Vec::new(),
            status: Some(Status { message: "why".to_owned(), code: STATUS_ERROR }),
        }
    }

    #[test]
    fn json_has_hexadecimal_ids_and_large_numbers_as_texts() {
        let value = serde_json::to_value(span()).expect("JSON");
        let expected = json!({
            "traceId": "abababababababababababababababab", "spanId": "0101010101010101",
            "name": "RUN job", "kind": 2,
            "startTimeUnixNano": "1", "endTimeUnixNano": "18446744073709551615",
            "attributes": [
                {"key": "a", "value": {"stringValue": "x"}}, {"key": "n", "value": {"intValue": "-1"}},
            ],
            "status": {"message": "why", "code": 2},
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn protobuf_is_read_back() {
        let bytes = span().encode_to_vec();
        assert_eq!(Span::decode(bytes.as_slice()), Ok(span()));
        // Field 7, wire type 1 (64 bits), little-endian: what the schema says of `fixed64`.
        let fixed = [7 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0];
        assert!(bytes.windows(fixed.len()).any(|window| window == fixed), "{bytes:?}");
    }
}
