" Vim syntax file for RASP.
" Install: copy to ~/.vim/syntax/rasp.vim, and put
"   autocmd BufNewFile,BufRead *.rasp setfiletype rasp
" into ~/.vim/ftdetect/rasp.vim.

if exists("b:current_syntax")
  finish
endif

syn match raspName /\<[A-Za-z_][A-Za-z0-9_]*\>/
syn match raspOperator /[=!<>]=\|[-+*\/%^<>=]/
syn match raspNumber /\<\d\+\(\.\d\+\)\?\([eE][-+]\?\d\+\)\?\>/
syn match raspFunctionName /\(\<def\s\+\)\@<=[A-Za-z_][A-Za-z0-9_]*/

syn keyword raspKeyword if else def return for load draw
syn keyword raspWordOperator and or not in
syn keyword raspForm select aggregate range zip len round indicator
syn keyword raspConstant True False
syn keyword raspInput tokens tokens_str tokens_int tokens_float tokens_bool tokens_asis indices
syn keyword raspLibrary full_s length selector_width select_best has_focus count max min average
syn keyword raspLibrary load_from_location shift select_from_last select_from_first mark_last_instance
syn keyword raspLibrary mark_first_instance sort select_next_identical
" `contains` is a word of the keyword command itself.
syn match raspLibrary /\<contains\>/
syn keyword raspCommand set show example examples on off selector exit quit
syn match raspCommand /\<s-op\>/
syn match raspCommand /\<full seq display\>/

syn region raspString start=/"/ end=/"/ oneline
syn region raspString start=/'/ end=/'/ oneline
syn match raspComment /#.*$/ contains=@Spell

hi def link raspComment Comment
hi def link raspString String
hi def link raspNumber Number
hi def link raspOperator Operator
hi def link raspWordOperator Operator
hi def link raspKeyword Keyword
hi def link raspForm Function
hi def link raspLibrary Function
hi def link raspFunctionName Function
hi def link raspConstant Boolean
hi def link raspInput Identifier
hi def link raspCommand PreProc

setlocal commentstring=#\ %s

let b:current_syntax = "rasp"
