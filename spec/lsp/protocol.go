package lsp

// The types of the protocol, as far as they are used; the names are its own.

type (
	position struct {
		Line      int `json:"line"`
		Character int `json:"character"` // in units of the encoding that was agreed on
	}
	span struct {
		Start position `json:"start"`
		End   position `json:"end"`
	}
	location struct {
		URI   string `json:"uri"`
		Range span   `json:"range"`
	}
	textEdit struct {
		Range   span   `json:"range"`
		NewText string `json:"newText"`
	}
	markup struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
	}
	textDocument struct {
		URI     string `json:"uri"`
		Version int    `json:"version"`
		Text    string `json:"text"`
	}
	at struct { // TextDocumentPositionParams
		TextDocument textDocument `json:"textDocument"`
		Position     position     `json:"position"`
		Context      struct {
			TriggerCharacter string `json:"triggerCharacter"`
		} `json:"context"`
	}
	referenceParams struct {
		TextDocument textDocument `json:"textDocument"`
		Position     position     `json:"position"`
		Context      struct {
			IncludeDeclaration bool `json:"includeDeclaration"`
		} `json:"context"`
	}
	didOpen struct {
		TextDocument textDocument `json:"textDocument"`
	}
	didChange struct {
		TextDocument   textDocument `json:"textDocument"`
		ContentChanges []change     `json:"contentChanges"`
	}
	change struct {
		Range *span  `json:"range"` // nil where the text is the whole
		Text  string `json:"text"`
	}
	relatedInformation struct {
		Location location `json:"location"`
		Message  string   `json:"message"`
	}
	diagnostic struct {
		Range    span                 `json:"range"`
		Severity int                  `json:"severity"`
		Code     string               `json:"code,omitempty"`
		Source   string               `json:"source"`
		Message  string               `json:"message"`
		Related  []relatedInformation `json:"relatedInformation,omitempty"`
	}
	publishDiagnostics struct {
		URI         string       `json:"uri"`
		Version     *int         `json:"version,omitempty"`
		Diagnostics []diagnostic `json:"diagnostics"`
	}
	completionItem struct {
		Label         string   `json:"label"`
		Kind          int      `json:"kind"`
		Detail        string   `json:"detail,omitempty"`
		Documentation *markup  `json:"documentation,omitempty"`
		SortText      string   `json:"sortText,omitempty"`
		InsertFormat  int      `json:"insertTextFormat,omitempty"`
		TextEdit      textEdit `json:"textEdit"`
	}
	completionList struct {
		IsIncomplete bool             `json:"isIncomplete"`
		Items        []completionItem `json:"items"`
	}
	hover struct {
		Contents markup `json:"contents"`
		Range    span   `json:"range"`
	}
	documentSymbol struct {
		Name           string           `json:"name"`
		Kind           int              `json:"kind"`
		Range          span             `json:"range"`
		SelectionRange span             `json:"selectionRange"`
		Children       []documentSymbol `json:"children,omitempty"`
	}
	codeActionParams struct {
		TextDocument textDocument `json:"textDocument"`
		Range        span         `json:"range"`
		Context      struct {
			Only []string `json:"only"`
		} `json:"context"`
	}
	codeAction struct {
		Title       string        `json:"title"`
		Kind        string        `json:"kind"`
		Diagnostics []diagnostic  `json:"diagnostics"`
		IsPreferred bool          `json:"isPreferred"`
		Edit        workspaceEdit `json:"edit"`
	}
	workspaceEdit struct {
		Changes map[string][]textEdit `json:"changes"`
	}
	initializeParams struct {
		RootURI          string `json:"rootUri"`
		WorkspaceFolders []struct {
			URI string `json:"uri"`
		} `json:"workspaceFolders"`
		Capabilities struct {
			General struct {
				PositionEncodings []string `json:"positionEncodings"`
			} `json:"general"`
			Workspace struct {
				DidChangeWatchedFiles struct {
					DynamicRegistration bool `json:"dynamicRegistration"`
				} `json:"didChangeWatchedFiles"`
			} `json:"workspace"`
			TextDocument struct {
				Completion struct {
					CompletionItem struct {
						SnippetSupport bool `json:"snippetSupport"`
					} `json:"completionItem"`
				} `json:"completion"`
			} `json:"textDocument"`
		} `json:"capabilities"`
	}
)

// Numbers of the protocol.
const (
	severityError, severityWarning, severityInformation = 1, 2, 3

	itemFunction, itemVariable, itemModule, itemProperty = 3, 6, 9, 10
	itemValue, itemKeyword, itemFile, itemReference      = 12, 14, 17, 18
	itemStruct                                           = 22

	symbolNamespace, symbolClass, symbolVariable, symbolObject = 3, 5, 13, 19

	formatSnippet   = 2
	syncIncremental = 2
)

func capabilities(encoding string) map[string]any {
	return map[string]any{
		"positionEncoding": encoding,
		"textDocumentSync": map[string]any{
			"openClose": true, "change": syncIncremental, "save": map[string]any{"includeText": false},
		},
		"completionProvider":         map[string]any{"triggerCharacters": []string{".", "\"", " ", "{"}},
		"hoverProvider":              true,
		"definitionProvider":         true,
		"referencesProvider":         true,
		"documentFormattingProvider": true,
		"documentSymbolProvider":     true,
		"codeActionProvider":         map[string]any{"codeActionKinds": []string{quickFix}},
	}
}

const quickFix = "quickfix"
