//! Commands and answers as bytes: Stagedoor's Avro, and the binary records of the Kafka Streams
//! peer.

use stagedoor_bench::mix::{
    GENERAL_SECTION, PRICE_MINOR, Request, SEATS_PER_USER, Wish, user_name,
};
use stagedoor_processors::concert::records::PutConcert;

use super::commands::Commands;
use crate::load::{self, SALE_CLOSES_AT_MS};

const HOLD_SECONDS: i32 = 3_600;

/// How a system under measure writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Avro with a schema id.
    Avro,
    /// `Command.java` and `Answer.java` of `benches/peers/kafka-streams`.
    Binary,
    /// Commands as Avro; answers without a meaning, which are only counted.
    Counted,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Number of the hold in its run; none where answers are only counted.
    pub(crate) index: Option<u64>,
    /// Whether it made a reservation.
    pub(crate) held: bool,
}

impl Wire {
    /// Appends the command that puts a concert on sale.
    pub(crate) fn put(self, commands: &Commands, out: &mut Vec<u8>) -> anyhow::Result<()> {
        match self {
            Self::Avro | Self::Counted => {
                stagedoor_avro::encode(&put_concert(commands)?, out)?;
                Ok(())
            }
            Self::Binary => binary_put(commands, out),
        }
    }

    /// Appends the `index`-th hold.
    pub(crate) fn hold(
        self,
        commands: &Commands,
        index: u64,
        request: &Request,
        out: &mut Vec<u8>,
    ) -> anyhow::Result<()> {
        let (user, command_id) = (user_name(request.user), commands.command_id(index));
        match self {
            Self::Avro | Self::Counted => {
                stagedoor_avro::encode(&load::hold_of(user, command_id, request.wish), out)?;
                Ok(())
            }
            Self::Binary => binary_hold(&user, &command_id, request.wish, out),
        }
    }

    /// The answer to a hold of a run; none for any other record. `label` is the run's name with the
    /// dash that follows it in its command ids.
    pub(crate) fn answer(self, value: &[u8], label: &[u8]) -> Option<Answer> {
        let (id, held) = match self {
            Self::Avro => avro_answer(value)?,
            Self::Binary => binary_answer(value)?,
            Self::Counted => {
                return Some(Answer {
                    index: None,
                    held: false,
                });
            }
        };
        let index = std::str::from_utf8(id.strip_prefix(label)?).ok()?;
        Some(Answer {
            index: Some(index.parse().ok()?),
            held,
        })
    }
}

/// Command id of the plans of a run: its index is no number, so that no plan is taken for a hold.
fn put_id(commands: &Commands) -> String {
    format!("{}-put", commands.run())
}

fn put_concert(commands: &Commands) -> anyhow::Result<PutConcert> {
    let sections = load::section_plans(commands.sections())?;
    Ok(load::on_sale(put_id(commands), HOLD_SECONDS, sections))
}

/// Command id, and whether nothing was refused: the fields of a `CommandResult` up to there. To
/// decode the rest would cost the machine that is measured more than the count is worth.
fn avro_answer(value: &[u8]) -> Option<(&[u8], bool)> {
    const FRAME_AND_ID: usize = 5 + 16;
    let mut rest = value.get(FRAME_AND_ID..)?;
    let _user = avro_bytes(&mut rest)?;
    let command_id = avro_bytes(&mut rest)?;
    let _concert = avro_bytes(&mut rest)?;
    Some((command_id, avro_long(&mut rest)? == 0))
}

fn avro_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(avro_long(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

/// Zigzag in groups of seven bits, the lowest first. None of these is negative.
fn avro_long(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return (number & 1 == 0).then_some(number >> 1);
        }
    }
    None
}

fn binary_answer(value: &[u8]) -> Option<(&[u8], bool)> {
    const HELD: u8 = 0;
    let (code, rest) = value.split_first()?;
    let (length, rest) = rest.split_first()?;
    Some((rest.get(..usize::from(*length))?, *code == HELD))
}

fn binary_put(commands: &Commands, out: &mut Vec<u8>) -> anyhow::Result<()> {
    const PUT_CONCERT: u8 = 1;
    let sections = commands.sections();
    out.push(PUT_CONCERT);
    text(&put_id(commands), out)?;
    text("EUR", out)?;
    out.extend(u16::try_from(SEATS_PER_USER)?.to_be_bytes());
    out.extend(HOLD_SECONDS.to_be_bytes());
    out.extend(0_i64.to_be_bytes());
    out.extend(SALE_CLOSES_AT_MS.to_be_bytes());
    out.extend(u16::try_from(sections.len())?.to_be_bytes());
    for section in sections {
        let (rows, seats_per_row) = section.rows.unwrap_or((0, 0));
        text(&section.id, out)?;
        out.extend(u16::try_from(rows)?.to_be_bytes());
        out.extend(u16::try_from(seats_per_row)?.to_be_bytes());
        out.extend(u32::try_from(section.capacity.unwrap_or(0))?.to_be_bytes());
        out.extend(PRICE_MINOR.to_be_bytes());
    }
    Ok(())
}

fn binary_hold(user: &str, command_id: &str, wish: Wish, out: &mut Vec<u8>) -> anyhow::Result<()> {
    const HOLD_SEATS: u8 = 2;
    const SEATS: u8 = 1;
    const GENERAL: u8 = 2;
    out.push(HOLD_SEATS);
    text(user, out)?;
    text(command_id, out)?;
    match wish {
        Wish::Seats {
            section,
            row,
            first,
            quantity,
        } => {
            let name = format!("S{section}");
            out.extend([SEATS, u8::try_from(quantity)?]);
            for number in first..first + quantity {
                text(&name, out)?;
                out.extend(u16::try_from(row)?.to_be_bytes());
                out.extend(u16::try_from(number)?.to_be_bytes());
            }
        }
        Wish::Place => {
            out.push(GENERAL);
            text(GENERAL_SECTION, out)?;
            out.extend(1_u16.to_be_bytes());
        }
    }
    Ok(())
}

fn text(text: &str, out: &mut Vec<u8>) -> anyhow::Result<()> {
    out.push(u8::try_from(text.len())?);
    out.extend(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use stagedoor_bench::mix::Kind;
    use stagedoor_processors::concert::records::{CommandResult, Rejection};

    use super::*;

    fn result(rejection: Option<Rejection>) -> Vec<u8> {
        let result = CommandResult {
            // Longer than 63 characters, so that its length takes two bytes.
            user: "u".repeat(64),
            command_id: "run-17".to_owned(),
            concert: "c".to_owned(),
            rejection,
            ..CommandResult::default()
        };
        let mut bytes = Vec::new();
        stagedoor_avro::encode(&result, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_avro_answer_is_read_as_it_was_written() {
        let answer = |held| {
            Some(Answer {
                index: Some(17),
                held,
            })
        };
        let refused = result(Some(Rejection::default()));
        assert_eq!(Wire::Avro.answer(&result(None), b"run-"), answer(true));
        assert_eq!(Wire::Avro.answer(&refused, b"run-"), answer(false));
        assert_eq!(Wire::Avro.answer(&refused, b"rum-"), None, "of another run");
        assert_eq!(Wire::Avro.answer(&refused[..30], b"run-"), None, "cut");
    }

    #[test]
    fn a_binary_answer_is_read_as_the_peer_writes_it() {
        let mut held = vec![0, 6];
        held.extend(b"run-17");
        let mut put = vec![10, 7];
        put.extend(b"run-put");
        let answer = Answer {
            index: Some(17),
            held: true,
        };
        assert_eq!(Wire::Binary.answer(&held, b"run-"), Some(answer));
        assert_eq!(Wire::Binary.answer(&put, b"run-"), None);
    }

    #[test]
    fn a_binary_hold_is_written_as_the_peer_reads_it() {
        let commands = Commands::of_mix(Kind::Hot, 400, "r", 1).unwrap();
        let mut bytes = Vec::new();
        let request = commands.request(21);
        Wire::Binary
            .hold(&commands, 21, &request, &mut bytes)
            .unwrap();
        let expected = b"\x02\x03u21\x04r-21\x01\x01\x02S0\x00\x02\x00\x02";
        assert_eq!(bytes, expected);
    }
}
