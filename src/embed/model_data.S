/* The model file as part of the program. */
	.section .rodata, "a"
	.balign 64
	.globl embed_model_static
	.hidden embed_model_static
	.type embed_model_static, %object
embed_model_static:
	.incbin "src/embed/model_static.bin"
	.globl embed_model_static_end
	.hidden embed_model_static_end
embed_model_static_end:
	.byte 0
	.size embed_model_static, embed_model_static_end - embed_model_static
	.section .note.GNU-stack, "", %progbits
