"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from knowledge.views import accounts, entities, entity, feeds, linked_data, merging, post, posts, sparql, status

urlpatterns = [
    path("", posts.posts, name="posts"),
    path("posts/<uuid:public_id>/", post.post, name="post"),
    path("posts/<uuid:public_id>/review/", post.review, name="review"),
    path("posts/<uuid:public_id>/read-again/", post.read_again, name="read_again"),
    path("posts/<uuid:public_id>/pictures/<int:picture_id>/", post.picture, name="picture"),
    path("entities/", entities.entities, name="entities"),
    path("entities/<uuid:public_id>/", entity.entity, name="entity"),
    path("entities/<uuid:public_id>/merge/", merging.merge, name="merge"),
    path("entities/<uuid:public_id>/undo-merge/", merging.undo, name="undo_merge"),
    path("entities/<uuid:public_id>/graph.ttl", linked_data.entity_turtle, name="entity_turtle"),
    path("posts/<uuid:public_id>/graph.ttl", linked_data.post_turtle, name="post_turtle"),
    path("id/entity/<uuid:public_id>", linked_data.entity_iri, name="iri_entity"),
    path("id/post/<uuid:public_id>", linked_data.post_iri, name="iri_post"),
    path("id/assertion/<uuid:public_id>", linked_data.assertion_iri, name="iri_assertion"),
    path("id/checkpoint/<slug:digest>", linked_data.checkpoint_iri, name="iri_checkpoint"),
    path("sparql/", sparql.sparql, name="sparql"),
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
