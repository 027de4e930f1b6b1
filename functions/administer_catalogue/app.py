"""GET and PUT /catalogue: what is sold, in versions that never change."""

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise_staff
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Response, tagged
from billing.platform.http.callers import Caller, Context
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.subscriptions.catalogue_views import CatalogueBody, CatalogueView
from billing.subscriptions.replace_catalogue import replace_catalogue
from billing.wiring import Catalogues

app = make_api()


@app.get("/catalogue")
def get_catalogue(caller: Caller, catalogues: Catalogues) -> Response[CatalogueView]:
    """The newest version of the catalogue."""
    authorise_staff(caller, Permission.ADMINISTER_CATALOGUE)
    catalogue = catalogues.newest_catalogue()
    if catalogue is None:
        raise NotFound("There is no catalogue yet.")
    return tagged(CatalogueView.of(catalogue), catalogue.version)


@app.put("/catalogue")
def put_catalogue(
    body: CatalogueBody,
    caller: Caller,
    context: Context,
    catalogues: Catalogues,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[CatalogueView]:
    """A new version. Accounts stay on the prices that they signed."""
    authorise_staff(caller, Permission.ADMINISTER_CATALOGUE)
    catalogue = replace_catalogue(
        body.values(), replaced_version(if_match, if_none_match), context=context, store=catalogues
    )
    return tagged(CatalogueView.of(catalogue), catalogue.version)


handler = entrypoint(app)
