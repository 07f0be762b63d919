#include "dlp/top_level_domains.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "dlp/fold.h"

namespace candor::dlp {
namespace {

// IANA's root zone database, without those that fold to ASCII letters (vermögensberater): these are
// domains like any other.
constexpr auto kNames = std::to_array<std::string_view>({
    "ελ",        "ευ",           "бг",       "бел",      "дети",     "ею",       "католик",
    "ком",       "мкд",          "мон",      "москва",   "онлайн",   "орг",      "рус",
    "рф",        "сайт",         "срб",      "укр",      "қаз",      "հայ",      "ישראל",
    "קום",       "ابوظبي",       "اتصالات",  "ارامكو",   "الاردن",   "البحرين",  "الجزائر",
    "السعودية",  "السعوديه",     "السعودیة", "السعودیۃ", "العليان",  "المغرب",   "اليمن",
    "امارات",    "ايران",        "ایران",    "بارت",     "بازار",    "بيتك",     "بھارت",
    "تونس",      "سودان",        "سوريا",    "سورية",    "شبكة",     "عراق",     "عرب",
    "عمان",      "فلسطين",       "قطر",      "كاثوليك",  "كوم",      "مصر",      "مليسيا",
    "موريتانيا", "موقع",         "همراه",    "پاكستان",  "پاکستان",  "ڀارت",     "कॉम",
    "नेट",        "भारत",         "भारतम्",    "भारोत",    "संगठन",     "বাংলা",    "ভারত",
    "ভাৰত",      "ਭਾਰਤ",         "ભારત",     "ଭାରତ",     "இந்தியா",   "இலங்கை",    "சிங்கப்பூர்",
    "భారత్",       "ಭಾರತ",         "ഭാരതം",    "ලංකා",     "คอม",      "ไทย",      "ລາວ",
    "გე",        "みんな",       "アマゾン", "クラウド", "グーグル", "コム",     "ストア",
    "セール",    "ファッション", "ポイント", "世界",     "中信",     "中国",     "中國",
    "中文网",    "亚马逊",       "企业",     "佛山",     "信息",     "健康",     "八卦",
    "公司",      "公益",         "台湾",     "台灣",     "商城",     "商店",     "商标",
    "嘉里",      "嘉里大酒店",   "在线",     "大拿",     "天主教",   "娱乐",     "家電",
    "广东",      "微博",         "慈善",     "我爱你",   "手机",     "招聘",     "政务",
    "政府",      "新加坡",       "新闻",     "时尚",     "書籍",     "机构",     "淡马锡",
    "游戏",      "澳門",         "澳门",     "点看",     "移动",     "组织机构", "网址",
    "网店",      "网站",         "网络",     "联通",     "臺灣",     "谷歌",     "购物",
    "通販",      "集团",         "電訊盈科", "飞利浦",   "食品",     "餐厅",     "香格里拉",
    "香港",      "닷넷",         "닷컴",     "삼성",     "한국",
});

}  // namespace

std::size_t international_top_level(std::string_view label) {
  static const std::vector<std::string> folded = [] {
    std::vector<std::string> all;
    for (const std::string_view name : kNames) all.push_back(fold(name));
    return all;
  }();
  std::size_t longest = 0;
  for (const std::string& name : folded) {
    if (label.starts_with(name)) longest = std::max(longest, name.size());
  }
  return longest;
}

}  // namespace candor::dlp
