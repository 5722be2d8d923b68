#include "http/req.h"
enum go req_shed(struct req *r){return req_answer(r,503);}
