"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from knowledge.api import docs_page
from knowledge.views import accounts, linked_data, status, tokens
from knowledge.views.desk import mentions as desk_mentions
from knowledge.views.desk import queue as desk_queue
from knowledge.views.desk import resume
from knowledge.views.desk import statements as desk_statements
from knowledge.views.entities import detail as entities_detail
from knowledge.views.entities import edit as entities_edit
from knowledge.views.entities import index as entities_index
from knowledge.views.entities import links, merge_split, neighbourhood
from knowledge.views.feeds import adding
from knowledge.views.feeds import detail as feeds_detail
from knowledge.views.feeds import index as feeds_index
from knowledge.views.posts import depictions, erase, versions
from knowledge.views.posts import detail as posts_detail
from knowledge.views.posts import index as posts_index
from knowledge.views.queries import cypher, saved_queries, sparql

urlpatterns = [
    path("", posts_index.posts, name="posts"),
    path("posts/<uuid:public_id>/", posts_detail.post, name="post"),
    path("posts/<uuid:public_id>/versions/<int:ordinal>/", versions.version, name="post_version"),
    path("posts/<uuid:public_id>/review/", posts_detail.review, name="review"),
    path("posts/<uuid:public_id>/statements/add/", desk_statements.add, name="statement_add"),
    path(
        "posts/<uuid:public_id>/statements/<uuid:statement_id>/correct/",
        desk_statements.correct,
        name="statement_correct",
    ),
    path("posts/<uuid:public_id>/mentions/add/", desk_mentions.add, name="mention_add"),
    path("posts/<uuid:public_id>/mentions/<int:mention_id>/", desk_mentions.correct, name="mention_correct"),
    path("posts/<uuid:public_id>/undo/", desk_mentions.undo, name="correction_undo"),
    path("posts/<uuid:public_id>/read-again/", posts_detail.read_again, name="read_again"),
    path("posts/<uuid:public_id>/erase/", erase.erase, name="erase"),
    path("posts/<uuid:public_id>/pictures/<int:picture_id>/", posts_detail.picture, name="picture"),
    path(
        "posts/<uuid:public_id>/pictures/<int:picture_id>/small/",
        posts_detail.picture,
        {"small": True},
        name="small_picture",
    ),
    path("posts/<uuid:public_id>/depicted/", depictions.judge, name="depicted"),
    path("review/", desk_queue.queue, name="review_queue"),
    path("review/next/", desk_queue.go_on, name="review_next"),
    path("review/figures/", desk_queue.figures, name="review_figures"),
    path("resume/", resume.resume, name="resume"),
    path("entities/", entities_index.entities, name="entities"),
    path("entities/<uuid:public_id>/", entities_detail.entity, name="entity"),
    path("entities/<uuid:public_id>/neighbourhood/", neighbourhood.neighbourhood, name="neighbourhood"),
    path("entities/<uuid:public_id>/neighbours/", neighbourhood.neighbours, name="neighbours"),
    path("entities/<uuid:public_id>/merge/", merge_split.merge, name="merge"),
    path("entities/<uuid:public_id>/undo-merge/", merge_split.undo, name="undo_merge"),
    path("entities/<uuid:public_id>/split/", merge_split.split, name="split"),
    path("entities/<uuid:public_id>/undo-split/", merge_split.undo_split, name="undo_split"),
    path("entities/<uuid:public_id>/edit/", entities_edit.edit, name="entity_edit"),
    path("entities/<uuid:public_id>/undo-edit/", entities_edit.undo, name="undo_edit"),
    path("entities/<uuid:public_id>/link/", links.decide, name="decide_link"),
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
    path("queries/save/", saved_queries.save, name="query_save"),
    path("queries/<uuid:public_id>/remove/", saved_queries.remove, name="query_remove"),
    path("api/", docs_page.api_docs, name="api_docs"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/make/", tokens.make, name="token_make"),
    path("tokens/<uuid:public_id>/revoke/", tokens.revoke, name="token_revoke"),
    path("feeds/", feeds_index.feeds, name="feeds"),
    path("feeds/find/", adding.find, name="feed_find"),
    path("feeds/add/", adding.add, name="feed_add"),
    path("feeds/selected/", feeds_index.bulk, name="feeds_selected"),
    path("feeds/opml/", adding.opml_export, name="opml_export"),
    path("feeds/opml/import/", adding.opml_import, name="opml_import"),
    path("feeds/samples/remove/", feeds_index.samples_remove, name="samples_remove"),
    path("feeds/<int:feed_id>/", feeds_detail.feed, name="feed"),
    path("feeds/<int:feed_id>/change/", feeds_detail.change, name="feed_change"),
    path("feeds/<int:feed_id>/edit/", feeds_detail.edit, name="feed_edit"),
    path("feeds/<int:feed_id>/delete/", feeds_detail.delete, name="feed_delete"),
    path("feeds/<int:feed_id>/restore/", feeds_detail.restore, name="feed_restore"),
    path("status/", status.status, name="status"),
    path("status/retry/", status.retry, name="status_retry"),
    path("sign-in/", accounts.SignIn.as_view(), name="sign_in"),
    path("sign-out/", accounts.SignOut.as_view(), name="sign_out"),
    path("password/", accounts.Password.as_view(), name="password"),
]
