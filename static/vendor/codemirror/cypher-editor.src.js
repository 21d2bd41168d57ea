// The Cypher editor: CodeMirror 6 with the Cypher mode of its legacy modes, and completion from a list that the page gives.
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, highlightActiveLine, drawSelection, placeholder } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { StreamLanguage, syntaxHighlighting, HighlightStyle, bracketMatching } from "@codemirror/language";
import { cypher } from "@codemirror/legacy-modes/mode/cypher";
import { autocompletion, completionKeymap, closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--editor-keyword)", fontWeight: "600" },
  { tag: tags.string, color: "var(--editor-string)" },
  { tag: tags.comment, color: "var(--editor-comment)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.atom], color: "var(--editor-number)" },
  { tag: [tags.standard(tags.name), tags.function(tags.name)], color: "var(--editor-function)" },
  { tag: tags.variableName, color: "var(--editor-name)" },
]);

// words: [{ label, type, detail }]; after ":" only labels and types are offered.
function completion(words) {
  return (context) => {
    const typed = context.matchBefore(/[:$.\w]*/);
    if (!typed || (typed.from === typed.to && !context.explicit)) return null;
    const colon = typed.text.lastIndexOf(":");
    if (colon >= 0) {
      const options = words.filter((word) => word.type === "class" || word.type === "type");
      return { from: typed.from + colon + 1, options, validFor: /^\w*$/ };
    }
    if (/[.$]/.test(typed.text)) {
      const start = Math.max(typed.text.lastIndexOf("."), typed.text.lastIndexOf("$")) + 1;
      return { from: typed.from + start, options: words.filter((word) => word.type === "property"), validFor: /^\w*$/ };
    }
    return { from: typed.from, options: words, validFor: /^\w*$/ };
  };
}

export function open({ parent, text, words, nonce, label, run }) {
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(nonce),
        lineNumbers(), highlightActiveLine(), drawSelection(), history(), bracketMatching(), closeBrackets(),
        StreamLanguage.define(cypher), syntaxHighlighting(colours),
        autocompletion({ override: [completion(words)] }),
        // Tab stays the way out of the editor for people without a mouse.
        keymap.of([{ key: "Mod-Enter", run: () => { run(); return true; } }, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.theme({
          "&": { border: "1px solid var(--rule-strong)", borderRadius: "6px", background: "var(--sheet)", color: "var(--ink)", fontSize: ".875rem" },
          ".cm-content": { fontFamily: "var(--mono)", minHeight: "11rem", caretColor: "var(--ink)" },
          ".cm-cursor": { borderLeftColor: "var(--ink)" },
          ".cm-gutters": { background: "transparent", color: "var(--soft)", border: "none" },
          ".cm-activeLine": { background: "var(--accent-wash)" },
          ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { background: "var(--editor-selection) !important" },
          "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
          ".cm-tooltip": { background: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--rule-strong)" },
          ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--accent)", color: "var(--on-accent, #fff)" },
        }),
      ],
    }),
  });
}
