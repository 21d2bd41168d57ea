"""The API: its routers, and their addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from knowledge.api import auth, entities, exports, posts, search, sparql, statements, texts

api = auth.Api(**auth.info(), urls_namespace="api-v1", openapi_url="/openapi.json", docs_url=None)
api.add_router("/posts", posts.router)
api.add_router("/texts", texts.router)
api.add_router("/entities", entities.router)
api.add_router("/statements", statements.router)
api.add_router("", search.router)
api.add_router("/exports", exports.router)
api.add_router("/sparql", sparql.router)

urlpatterns: list[URLPattern] = [
    *auth.patterns(api),
    path("", auth.guarded(auth.nothing), name="api_root"),
    re_path(r"^(?P<rest>.+)$", auth.guarded(auth.nothing), name="api_nothing"),
]
