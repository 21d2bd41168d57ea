"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from knowledge.views import (
    accounts,
    api_docs,
    cypher,
    depicted,
    entities,
    entity,
    erasing,
    feeds,
    linked_data,
    linking,
    merging,
    neighbourhood,
    post,
    posts,
    saved,
    sparql,
    status,
    tokens,
)

urlpatterns = [
    path("", posts.posts, name="posts"),
    path("posts/<uuid:public_id>/", post.post, name="post"),
    path("posts/<uuid:public_id>/review/", post.review, name="review"),
    path("posts/<uuid:public_id>/read-again/", post.read_again, name="read_again"),
    path("posts/<uuid:public_id>/erase/", erasing.erase, name="erase"),
    path("posts/<uuid:public_id>/pictures/<int:picture_id>/", post.picture, name="picture"),
    path(
        "posts/<uuid:public_id>/pictures/<int:picture_id>/small/", post.picture, {"small": True}, name="small_picture"
    ),
    path("posts/<uuid:public_id>/depicted/", depicted.judge, name="depicted"),
    path("entities/", entities.entities, name="entities"),
    path("entities/<uuid:public_id>/", entity.entity, name="entity"),
    path("entities/<uuid:public_id>/neighbourhood/", neighbourhood.neighbourhood, name="neighbourhood"),
    path("entities/<uuid:public_id>/neighbours/", neighbourhood.neighbours, name="neighbours"),
    path("entities/<uuid:public_id>/merge/", merging.merge, name="merge"),
    path("entities/<uuid:public_id>/undo-merge/", merging.undo, name="undo_merge"),
    path("entities/<uuid:public_id>/split/", merging.split, name="split"),
    path("entities/<uuid:public_id>/undo-split/", merging.undo_split, name="undo_split"),
    path("entities/<uuid:public_id>/link/", linking.decide, name="decide_link"),
    *(
        path(f"{kind}/<uuid:public_id>/graph.{form}", view, {"form": form}, name=f"{name}_{form}")
        for kind, name, view in (
            ("entities", "entity", linked_data.entity_graph),
            ("posts", "post", linked_data.post_graph),
        )
        for form in linked_data.FORMS.values()
    ),
    path("id/entity/<uuid:public_id>", linked_data.entity_iri, name="iri_entity"),
    path("id/post/<uuid:public_id>", linked_data.post_iri, name="iri_post"),
    path("id/post/<uuid:public_id>/picture/<int:number>", linked_data.picture_iri, name="iri_picture"),
    path("id/assertion/<uuid:public_id>", linked_data.assertion_iri, name="iri_assertion"),
    path("id/checkpoint/<slug:digest>", linked_data.checkpoint_iri, name="iri_checkpoint"),
    path("sparql/", sparql.sparql, name="sparql"),
    path("cypher/", cypher.cypher, name="cypher"),
    path("queries/save/", saved.save, name="query_save"),
    path("queries/<uuid:public_id>/remove/", saved.remove, name="query_remove"),
    path("api/", api_docs.api_docs, name="api_docs"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/make/", tokens.make, name="token_make"),
    path("tokens/<uuid:public_id>/revoke/", tokens.revoke, name="token_revoke"),
    path("feeds/", feeds.feeds, name="feeds"),
    path("feeds/add/", feeds.add, name="feed_add"),
    path("feeds/opml/", feeds.opml_export, name="opml_export"),
    path("feeds/opml/import/", feeds.opml_import, name="opml_import"),
    path("feeds/samples/remove/", feeds.samples_remove, name="samples_remove"),
    path("feeds/<int:feed_id>/", feeds.feed, name="feed"),
    path("feeds/<int:feed_id>/change/", feeds.change, name="feed_change"),
    path("status/", status.status, name="status"),
    path("status/retry/", status.retry, name="status_retry"),
    path("sign-in/", accounts.SignIn.as_view(), name="sign_in"),
    path("sign-out/", accounts.SignOut.as_view(), name="sign_out"),
    path("password/", accounts.Password.as_view(), name="password"),
]
