/* The status page's style and script, as they stand in web/: C strings. */
	.section .rodata
	.global page_style, page_script
	.type page_style, %object
	.type page_script, %object
page_style:
	.incbin "web/status.css"
	.byte 0
	.size page_style, . - page_style
page_script:
	.incbin "web/status.js"
	.byte 0
	.size page_script, . - page_script

	.section .note.GNU-stack, "", %progbits
