"""/accounts/{account}/reviews: reviews with the customer success manager, for a lower tier (DESIGN 3.2)."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Created, NoContent, created, no_content
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.scaling.reduction.commands import advise_reduction
from billing.scaling.reviews.book_review import book_review, cancel_review, success_manager_of
from billing.scaling.reviews.decide_review import apply_review, decline_review
from billing.scaling.reviews.prepare_review import prepared_review
from billing.scaling.reviews.rules import ReviewStatus, bookable_days
from billing.scaling.reviews.success_managers import free
from billing.scaling.reviews.views import (
    BookingBody,
    DecisionBody,
    EndDay,
    FirstDay,
    ListedReviewView,
    ManagersReviewsView,
    OfManager,
    OneReviewView,
    ReviewId,
    ReviewsView,
    ReviewView,
    SlotsView,
    days_shown,
)
from billing.subscriptions.subscriber import Subscriber
from billing.wiring import Reviews, Usage, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_REVIEWS, account_store)]
MayBook = Annotated[Admission, Permits(Permission.BOOK_REVIEWS, account_store)]
MayDecide = Annotated[Admission, Permits(Permission.DECIDE_REVIEWS, account_store)]
MayList = Annotated[Person, StaffOnly(Permission.LIST_REVIEWS)]

app = make_api()


@app.get("/reviews")
def get_reviews_of_manager(
    _: MayList,
    reviews: Reviews,
    manager: OfManager,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> ManagersReviewsView:
    """The reviews of all accounts that were booked with a success manager, the latest first."""
    page = reviews.reviews_of(manager, limit=limit, after=pages.position(cursor), clock=test_clock)
    return ManagersReviewsView(
        items=[ListedReviewView.listed(*each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


@app.get("/accounts/<account>/reviews/slots")
def get_slots(
    account: AccountId,
    admission: MayRead,
    now: Now,
    reviews: Reviews,
    usage: Usage,
    first: FirstDay = None,
    until: EndDay = None,
) -> SlotsView:
    """When a review can be booked, from a day from now to 60 days ahead, and whether it may be already."""
    subscriber = _admitted(account, admission, usage)
    contract = subscriber.account.contract
    days = days_shown(first, until, contract.today(now))
    manager = success_manager_of(subscriber.account, reviews)
    slots = tuple(manager.slots(*bookable_days(*days, contract, now)))
    if slots:
        slots = free(slots, reviews.booked(manager.id, slots[0].cells[0], slots[-1].cells[-1], account))
    return SlotsView.of(manager, slots, prepared_review(subscriber, now=now, usage=usage).products, subscriber.language)


@app.get("/accounts/<account>/reviews")
def get_reviews(
    account: AccountId,
    admission: MayRead,
    reviews: Reviews,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> ReviewsView:
    """The account's reviews, newest first."""
    admission.account(account)
    page = reviews.reviews(account, limit=limit, after=pages.position(cursor))
    return ReviewsView(items=[ReviewView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.post("/accounts/<account>/reviews", status_code=201)
def post_review(
    account: AccountId,
    body: BookingBody,
    admission: MayBook,
    context: Context,
    reviews: Reviews,
    usage: Usage,
) -> Created[ReviewView]:
    """Book one of the slots. The same request again finds what it booked."""
    subscriber = _admitted(account, admission, usage)
    prepared = prepared_review(subscriber, now=context.time, usage=usage)
    review = book_review(
        subscriber.account,
        body.begins,
        prepared.products,
        context=context,
        store=reviews,
        language=subscriber.language,
    )
    return created(ReviewView.of(review), location=f"/v1/accounts/{account}/reviews/{review.id}")


@app.get("/accounts/<account>/reviews/<review>")
def get_review(
    account: AccountId, review: ReviewId, admission: MayRead, now: Now, reviews: Reviews, usage: Usage
) -> OneReviewView:
    """One review; while it is open, staff see it prepared."""
    subscriber = _admitted(account, admission, usage)
    stored = reviews.review(account, review)
    if stored.status is not ReviewStatus.BOOKED or not admission.person.staff:
        return OneReviewView.of(stored)
    prepared = prepared_review(subscriber, now=now, usage=usage).products
    lines = [each.line for each in prepared]
    advice = advise_reduction(subscriber, lines, today=subscriber.account.contract.today(now), store=usage)
    return OneReviewView.prepared_of(stored, prepared, advice, subscriber.language)


@app.delete("/accounts/<account>/reviews/<review>", status_code=204)
def delete_review(
    account: AccountId, review: ReviewId, admission: MayBook, context: Context, reviews: Reviews
) -> NoContent:
    """Cancel a review that has not begun."""
    current = admission.account(account)
    cancel_review(current, reviews.review(account, review), context=context, store=reviews)
    return no_content()


@app.put("/accounts/<account>/reviews/<review>/decision")
def put_decision(
    account: AccountId,
    review: ReviewId,
    body: DecisionBody,
    admission: MayDecide,
    context: Context,
    reviews: Reviews,
    usage: Usage,
) -> ReviewView:
    """Apply lower tiers from the next renewal, or decline with a reason. A decision is made once."""
    subscriber = _admitted(account, admission, usage)
    stored = reviews.review(account, review)
    if body.reason is not None:
        return ReviewView.of(decline_review(subscriber, stored, body.reason, context=context, store=reviews))
    prepared = prepared_review(subscriber, now=context.time, usage=usage)
    return ReviewView.of(
        apply_review(subscriber, stored, body.orders(), prepared.products, context=context, store=reviews)
    )


def _admitted(account: str, admission: Admission, usage: Usage) -> Subscriber:
    subscriber = usage.subscriber(account, consistent=True)
    admission.admit(subscriber.account)
    return subscriber


handler = entrypoint(app)
