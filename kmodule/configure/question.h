/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kinds of questions to the kernel's headers. Each source asks one and is compiled twice: as it is, and with
 * KTC_OPPOSITE, where each macro is what compiles exactly when the first does not. configure.sh takes no answer
 * unless one of the two compiles and the other does not, so an error that has nothing to do with the question, or
 * headers that both would suit, stop the build.
 */
#ifndef KTC_OPPOSITE

/* Is this a constant that is true, such as "has that function this type"? */
#define ASK(condition) extern char answer[(condition) ? 1 : -1]

/* Is there a function or a constant of this name? */
#define ASK_NAME(name) extern char answer[sizeof(__typeof__(name) *)]

/* Has the structure a member of this name? Not by its size: a member may be a bit field. */
#define ASK_MEMBER(structure, member)		\
	void answer(const structure * it);	\
	void answer(const structure * it)	\
	{					\
		(void)it->member;		\
	}

#else

#define ASK(condition) extern char answer[(condition) ? -1 : 1]

/* What has been declared cannot be declared as something else. */
#define ASK_NAME(name) enum { name }

/* A structure that contains another one's members (-fms-extensions) has no second member of the same name. */
#define ASK_MEMBER(structure, member)	\
	struct answer {			\
		structure;		\
		int member;		\
	}

#endif
