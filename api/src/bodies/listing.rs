//! Lists of concerts: items, status, search and cursor.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stagedoor_processors::concert::records::ConcertListing;
use utoipa::{IntoParams, ToSchema};

use super::time::timestamp;

/// Where a concert is in its sale, by this machine's clock. What may be bought is decided in log
/// time by the processor; this is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SaleStatus {
    /// Before the sale window.
    #[serde(alias = "upcoming")]
    Upcoming,
    /// Inside it.
    #[serde(alias = "on_sale")]
    OnSale,
    /// After it.
    #[serde(alias = "ended")]
    Ended,
}

impl SaleStatus {
    /// The status at `now_ms` of a sale window that includes its start and not its end.
    pub(crate) const fn at(now_ms: i64, opens_at_ms: i64, closes_at_ms: i64) -> Self {
        if now_ms < opens_at_ms {
            Self::Upcoming
        } else if now_ms < closes_at_ms {
            Self::OnSale
        } else {
            Self::Ended
        }
    }
}

/// What a list is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only concerts of this status.
    #[param(inline)]
    pub(crate) status: Option<SaleStatus>,
    /// Only concerts with this text in title, artist or venue, in any case.
    pub(crate) q: Option<String>,
    /// Most items, 1 to 100; 20 if absent.
    pub(crate) limit: Option<usize>,
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
}

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConcertPage {
    /// Concerts in the order of their ids.
    pub(crate) items: Vec<ConcertItem>,
    /// Cursor of the next page; null on the last.
    pub(crate) next: Option<String>,
}

/// A concert in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConcertItem {
    /// Id.
    pub(crate) id: String,
    /// Title.
    pub(crate) title: String,
    /// Who plays.
    pub(crate) artist: String,
    /// Where.
    pub(crate) venue: String,
    /// Hall inside the venue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hall: Option<String>,
    /// Shared by several dates of one show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    /// IANA name of the venue's time zone.
    pub(crate) time_zone: String,
    /// Where it is in its sale.
    pub(crate) status: SaleStatus,
    /// Doors.
    pub(crate) starts_at: Timestamp,
    /// End of the show.
    pub(crate) ends_at: Timestamp,
    /// Start of the sale.
    pub(crate) sale_opens_at: Timestamp,
    /// End of the sale.
    pub(crate) sale_closes_at: Timestamp,
    /// ISO 4217 code of every price.
    pub(crate) currency: String,
}

impl ConcertItem {
    /// The item of a listing.
    pub(crate) fn new(id: String, listing: ConcertListing, now_ms: i64) -> Self {
        Self {
            id,
            status: SaleStatus::at(now_ms, listing.sale_opens_at_ms, listing.sale_closes_at_ms),
            title: listing.title,
            artist: listing.artist,
            venue: listing.venue,
            hall: listing.hall,
            run: listing.run,
            time_zone: listing.time_zone,
            starts_at: timestamp(listing.starts_at_ms),
            ends_at: timestamp(listing.ends_at_ms),
            sale_opens_at: timestamp(listing.sale_opens_at_ms),
            sale_closes_at: timestamp(listing.sale_closes_at_ms),
            currency: listing.currency,
        }
    }
}

/// Most items of a page.
const LARGEST_PAGE: usize = 100;

/// Items of a page that does not say.
const PAGE: usize = 20;

/// Collects one page while concerts come by in the order of their ids.
pub(crate) struct PageBuilder {
    status: Option<SaleStatus>,
    text: Option<String>,
    limit: usize,
    now_ms: i64,
    items: Vec<ConcertItem>,
    more: bool,
}

impl PageBuilder {
    /// An empty page for a query.
    pub(crate) fn new(query: &ListQuery, now_ms: i64) -> Self {
        Self {
            status: query.status,
            text: query.q.as_ref().map(|text| text.to_lowercase()),
            limit: query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE),
            now_ms,
            items: Vec::new(),
            more: false,
        }
    }

    /// Takes the next concert if it belongs to the page. Returns whether more are wanted.
    pub(crate) fn offer(&mut self, id: &str, listing: ConcertListing) -> bool {
        let item = ConcertItem::new(id.to_owned(), listing, self.now_ms);
        if !self.wants(&item) {
            return true;
        }
        // One item too many is how the page knows that it is not the last.
        self.more = self.items.len() == self.limit;
        if !self.more {
            self.items.push(item);
        }
        !self.more
    }

    fn wants(&self, item: &ConcertItem) -> bool {
        let in_text = |text: &String| {
            let shown = [&item.title, &item.artist, &item.venue];
            shown
                .into_iter()
                .any(|field| field.to_lowercase().contains(text))
        };
        self.status.is_none_or(|status| status == item.status)
            && self.text.as_ref().is_none_or(in_text)
    }

    /// The page.
    pub(crate) fn finish(self) -> ConcertPage {
        let last = self
            .items
            .last()
            .filter(|_| self.more)
            .map(|item| item.id.clone());
        ConcertPage {
            items: self.items,
            next: last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(title: &str, opens: i64, closes: i64) -> ConcertListing {
        ConcertListing {
            title: title.into(),
            sale_opens_at_ms: opens,
            sale_closes_at_ms: closes,
            ..ConcertListing::default()
        }
    }

    fn page(query: &ListQuery) -> (Vec<String>, Option<String>) {
        let mut page = PageBuilder::new(query, 50);
        let concerts = [
            ("a", listing("Blue Night", 0, 100)),
            ("b", listing("Red Night", 60, 100)),
            ("c", listing("Blue Day", 0, 10)),
            ("d", listing("Blue Dawn", 0, 100)),
        ];
        for (id, listing) in concerts {
            if !page.offer(id, listing) {
                break;
            }
        }
        let page = page.finish();
        (
            page.items.into_iter().map(|item| item.id).collect(),
            page.next,
        )
    }

    #[test]
    fn a_window_includes_its_start_and_not_its_end() {
        let at = |now| SaleStatus::at(now, 10, 20);
        assert_eq!([at(9), at(10), at(19), at(20)], {
            use SaleStatus as S;
            [S::Upcoming, S::OnSale, S::OnSale, S::Ended]
        });
    }

    #[test]
    fn filters_apply_together() {
        let query = ListQuery {
            q: Some("BLUE".into()),
            ..ListQuery::default()
        };
        assert_eq!(page(&query).0, ["a", "c", "d"]);
        let query = ListQuery {
            status: Some(SaleStatus::OnSale),
            ..query
        };
        assert_eq!(page(&query).0, ["a", "d"]);
    }

    #[test]
    fn the_last_page_has_no_next_even_if_it_is_full() {
        let query = |limit| ListQuery {
            limit: Some(limit),
            ..ListQuery::default()
        };
        assert_eq!(
            page(&query(2)),
            (vec!["a".into(), "b".into()], Some("b".into()))
        );
        assert_eq!(page(&query(4)).1, None);
        assert_eq!(page(&query(0)).0.len(), 1, "a page has at least one item");
    }
}
