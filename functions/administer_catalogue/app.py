"""GET and PUT /catalogue: products and prices, in versions that never change."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import StaffOnly
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.subscriptions.catalogue_views import CatalogueBody, CatalogueView
from billing.subscriptions.replace_catalogue import replace_catalogue
from billing.wiring import Catalogues, ChargedMethods

MayAdminister = Annotated[Person, StaffOnly(Permission.ADMINISTER_CATALOGUE)]

app = make_api()


@app.get("/catalogue")
def get_catalogue(_: MayAdminister, catalogues: Catalogues) -> Tagged[CatalogueView]:
    """The newest version of the catalogue."""
    catalogue = catalogues.newest_catalogue()
    if catalogue is None:
        raise NotFound("There is no catalogue yet.")
    return tagged(CatalogueView.of(catalogue), catalogue.version)


@app.put("/catalogue")
def put_catalogue(
    body: CatalogueBody,
    _: MayAdminister,
    context: Context,
    catalogues: Catalogues,
    charged: ChargedMethods,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Tagged[CatalogueView]:
    """A new version. Accounts stay on the prices that they signed."""
    catalogue = replace_catalogue(
        body.values(),
        replaced_version(if_match, if_none_match),
        is_charged=bool(charged),
        context=context,
        store=catalogues,
    )
    return tagged(CatalogueView.of(catalogue), catalogue.version)


handler = entrypoint(app)
