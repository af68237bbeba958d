use homestay_telemetry::trace::TraceContext;
use rdkafka::message::{BorrowedMessage, Headers, Message as _};

use crate::Message;
use crate::kafka::EVENT_ID;
use crate::kafka::offsets::Place;

/// Longest id that is taken from a header: it becomes part of a job's unique key.
const ID_BYTES: usize = 100;
/// Most of a malformed message that its dead letter shows.
const TEXT_BYTES: usize = 4_096;

/// A message as it came from Kafka.
pub(super) struct Received {
    pub place: Place,
    pub offset: i64,
    pub message: Message,
    /// What a dead letter is to show, if this is no event.
    pub malformed: Option<String>,
}

impl Received {
    /// Reads a message of `topic`, which is its name without a prefix.
    pub(super) fn new(message: &BorrowedMessage<'_>, topic: &str) -> Self {
        let place = (message.topic().to_owned(), message.partition());
        let offset = message.offset();
        let bytes = message.payload().unwrap_or_default();
        let text = std::str::from_utf8(bytes).ok();
        let json = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        let id = header(message, EVENT_ID)
            .or_else(|| json.as_ref()?.get("eventId")?.as_str())
            .filter(|id| (1..=ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()))
            // Not from us: where it stands is what never changes of it.
            .map_or_else(|| format!("{topic}/{}/{offset}", place.1), str::to_owned);
        Self {
            message: Message {
                topic: topic.to_owned(),
                key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                payload: text.unwrap_or_default().to_owned(),
                id,
                traceparent: header(message, TraceContext::HEADER)
                    .unwrap_or_default()
                    .to_owned(),
            },
            malformed: json.is_none().then(|| shown(bytes)),
            place,
            offset,
        }
    }
}

fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    let found = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}

/// The beginning of what is no event, as JSON that says so.
pub(super) fn shown(bytes: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES)]);
    serde_json::json!({ "malformed": beginning, "bytes": bytes.len() }).to_string()
}
